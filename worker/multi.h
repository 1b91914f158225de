/* A curl_multi on a libuv loop: its sockets by uv_poll, its timer by uv_timer, nothing else.
 *
 * What libcurl wants done at once (a timeout of 0, as after adding a transfer) is done in the loop's
 * check phase, so that all requests which one read brought in are started together. */
#ifndef WORKER_MULTI_H
#define WORKER_MULTI_H

#include "turn.h"
#include "watch.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <uv.h>

/* What the multis of one loop share. */
struct multi_hub {
    struct turn *turn;
    struct watches watches;
    void (*on_done)(CURL *easy, CURLcode result);   /* a transfer ended; still added to its multi */
};

struct multi {
    struct turn_task task;
    struct multi_hub *hub;
    CURLM *curl;
    struct multi *next;            /* the partition's, as is the next */
    bool quic;
    uv_timer_t timer;
    uint64_t due_ms, armed_ms;     /* when libcurl and when the timer wants; 0: never */
    unsigned transfers;
};

void multi_hub_init(struct multi_hub *hub, struct turn *turn, void (*on_done)(CURL *easy, CURLcode result));

/* NULL without memory. `connections` is how many it keeps open at most. */
struct multi *multi_create(struct multi_hub *hub, unsigned connections, unsigned resolver_threads);

/* Closes its connections. Its transfers must be gone. */
void multi_close(struct multi *multi);

CURLMcode multi_add(struct multi *multi, CURL *easy);
void multi_remove(struct multi *multi, CURL *easy);

/* Closes connections that nobody uses. Those in use close after their transfers. */
void multi_drop_connections(struct multi *multi);

void multi_limit_threads(struct multi *multi, unsigned resolver_threads);

#endif
