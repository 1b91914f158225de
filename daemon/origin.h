/* What the host's apps do to one origin together: how many requests are under way, how fast they may
 * leave, and a circuit breaker. Decisions take the time as an argument: no clock, no libuv. */
#ifndef DAEMON_ORIGIN_H
#define DAEMON_ORIGIN_H

#include "table.h"
#include "health.h"
#include "line.h"

#include "conf/conf.h"
#include "ipc/origin.h"

#include <stdbool.h>
#include <stdint.h>

struct request;

enum origin_breaker { ORIGIN_CLOSED, ORIGIN_OPEN, ORIGIN_HALF_OPEN };

#define ORIGINS_IDLE_MOST 8192   /* that nobody names now; the longest unused one goes */

struct origin {
    char key[IPC_ORIGIN_BYTES];           /* "https://example.com:443" */
    char host[256];
    UT_hash_handle handle;
    struct origin *prev, *next;           /* while nobody names it, the longest unused first */
    const struct conf_origin *rules;
    unsigned rules_of;                    /* the origins' generation that they were looked up in */
    unsigned references;                  /* requests that name it */
    unsigned active;                      /* of them, with a worker */
    uint64_t next_us;                     /* when the rate lets the next one leave */
    enum origin_breaker breaker;
    unsigned failures;                    /* in a row */
    uint64_t open_until_ms;
    bool probing;                         /* half open, and one is trying */
    struct line line;                     /* of requests that wait for one of the limits */
    struct request *alarmed;              /* of them, the one with the alarm for whose turn it is */
    uint64_t used_ms, requests, failed;
    struct health health;
};

struct origins {
    struct origin *by_key;
    struct origin *idle;
    size_t idle_count;
    const struct conf *conf;
    unsigned generation;                  /* grows with each configuration */
};

enum origin_verdict { ORIGIN_GO, ORIGIN_WAIT, ORIGIN_REFUSE };

/* The origin of a parsed URL; NULL without memory. Held until origins_release. */
struct origin *origins_hold(struct origins *origins, const struct ipc_origin *parsed);
void origins_release(struct origins *origins, struct origin *origin);

/* Rules come from this configuration from now on. */
void origins_configure(struct origins *origins, const struct conf *conf);

/* Forgets origins that nobody names and nobody used since `before_ms`; for UINT64_MAX all origins. */
void origins_expire(struct origins *origins, uint64_t before_ms);

/* May one more request leave now? On WAIT, *ret_until_ms is when to ask again at the latest, or
 * UINT64_MAX when only an end of another request can help. On GO the rate has been charged. */
enum origin_verdict origin_admit(struct origins *origins, struct origin *origin, uint64_t now_ms,
                                 uint64_t *ret_until_ms);

/* How many WebSocket handshakes of one principal may be under way; 0: no limit. */
uint64_t origin_handshakes(struct origins *origins, struct origin *origin);

/* A worker has one more, or one less. */
void origin_enter(struct origin *origin);
void origin_leave(struct origin *origin);

/* How an attempt ended, as far as the origin is to blame or to praise. True when this opened or
 * closed the breaker. */
bool origin_note(struct origins *origins, struct origin *origin, bool success, uint64_t now_ms);

/* An attempt ended that says nothing about the origin. */
void origin_note_nothing(struct origin *origin);

/* The setting that holds requests back there now: connections, rate or crawl_delay. */
const char *origin_limit_name(struct origins *origins, struct origin *origin);

const char *origin_breaker_name(enum origin_breaker breaker);

#endif
