/* Whether and when a failed attempt is made again. Pure decisions; the request asks, and waits. */
#ifndef DAEMON_RETRY_H
#define DAEMON_RETRY_H

#include "ipc/error.h"
#include "ipc/message.h"

#include <stdbool.h>
#include <stdint.h>

/* What an error means for those who might try again. */
struct retry_class {
    bool origins_fault;      /* counts against the origin's breaker */
    bool passing;            /* may be gone in a moment */
    bool nothing_arrived;    /* no byte of the request can have been processed: safe for a POST too */
};
struct retry_class retry_classify(enum ipc_error_code code);

/* Is this status one to try again: 429 and 503 that say when, any 5xx if asked for. On true,
 * *ret_after_ms is what Retry-After asks to wait, 0 without one. `now_s` is the wall clock. */
bool retry_status(const struct ipc_response *response, bool any_5xx, int64_t now_s, uint64_t *ret_after_ms);

/* The wait before attempt `attempts` + 1: exponential from `delay_ms`, at most `max_ms`, of which a
 * random part (`random` is any 32 bits) is taken so that clients don't march in step. */
uint64_t retry_delay_ms(unsigned attempts, uint64_t delay_ms, uint64_t max_ms, uint32_t random);

/* May one more retry be under way? `percent` of the open requests that are none, so that attempts stay within
 * so much more than the requests; and three in any case. */
bool retry_within_budget(unsigned retrying, unsigned others, uint64_t percent);

#endif
