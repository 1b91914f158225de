/* The operator's proxies, [proxy_pool "NAME"]: which one a request gets, and which rest because they
 * failed. In turn, or, for requests with a key, always the same one while it works (rendezvous hashing: one
 * that rests moves only its own keys, and they come back). Pure: no clock, no libuv. */
#ifndef DAEMON_PROXYPOOL_H
#define DAEMON_PROXYPOOL_H

#include "proxy.h"

#include "conf/conf.h"
#include "ipc/error.h"
#include "ipc/message.h"

#include <stdbool.h>
#include <stdint.h>

/* One proxy of a pool; a request that has it may outlive its place there. */
struct pooled_proxy {
    char *url;                    /* with its credentials: wiped in the end */
    char label[PROXY_LABEL_BYTES];
    uint64_t hash, attempts, failed, ejections;
    uint64_t most_failures, cooldown_ms;
    unsigned in_row, active;      /* failures in a row; requests that have it */
    uint64_t rests_until_ms;
    bool listed;                  /* by its pool */
};

struct proxypool {
    char *name;
    struct pooled_proxy **proxies;
    size_t count, turn;
};

struct proxypools { struct proxypool *pools; size_t count; };

/* What the configuration has now; a proxy whose URL is still in its pool stays what it was. -1 without
 * memory, and nothing changed. */
int proxypools_configure(struct proxypools *pools, const struct conf *conf);
void proxypools_finish(struct proxypools *pools);

/* NULL when there is no such pool, or it is empty. */
struct proxypool *proxypools_find(const struct proxypools *pools, struct ipc_text name);

/* What makes requests stick together; of length 0: nothing. */
struct proxypool_key { uint32_t principal; struct ipc_text text; };

/* The proxy for a request, not `avoided` unless there is no other; until pooled_proxy_release(). NULL when
 * all rest. */
struct pooled_proxy *proxypool_take(struct proxypool *pool, struct proxypool_key key,
                                    const struct pooled_proxy *avoided, uint64_t now_ms);
void pooled_proxy_release(struct pooled_proxy *proxy);

void pooled_proxy_note_success(struct pooled_proxy *proxy);

/* True when it rests from now on. */
bool pooled_proxy_note_failure(struct pooled_proxy *proxy, uint64_t now_ms);

bool pooled_proxy_rests(const struct pooled_proxy *proxy, uint64_t now_ms);

/* Whether this error is the proxy's doing, and not the origin's or the request's. */
bool pooled_proxy_is_fault(enum ipc_error_code code);

#endif
