/* What origins speak, learnt by the first request to each.
 *
 * Whether a TLS origin speaks HTTP/2 is known when the first handshake with it is done. Until then it
 * would be wrong to open a connection for each further request, one of which may be enough for all,
 * and wrong to let libcurl wait (CURLOPT_PIPEWAIT): where only HTTP/1.1 is spoken it waits for the
 * first answer, which may be slow. So the first request to an origin is its scout; others wait here
 * until it is connected, or has failed, and then all go. Pure. */
#ifndef WORKER_SCOUT_H
#define WORKER_SCOUT_H

#include <stdbool.h>

#define SCOUT_BUCKETS 64

struct scout_origin;

struct scout {                       /* a request's part in it */
    struct scout_origin *origin;     /* NULL: none */
    struct scout *next;              /* among those that wait */
    bool waiting, leads;             /* leads: the others wait for this one */
    void (*on_go)(struct scout *scout);   /* it need not wait any longer; only remember it */
};

struct scouts {
    struct scout_origin *buckets[SCOUT_BUCKETS];
    unsigned count;
};

enum scout_verdict { SCOUT_WAIT, SCOUT_GO };

/* What a request to this origin should do. `scout` takes part from here on, until scout_leave(). */
enum scout_verdict scouts_ask(struct scouts *scouts, const char *origin_key, struct scout *scout);
void scouts_finish(struct scouts *scouts);

/* Whether the origin is known to speak HTTP/2, so that requests can share one connection. */
bool scout_multiplexes(const struct scout *scout);

/* A connection of its own is there, and this is what it speaks. */
void scout_learn(struct scout *scout, bool http2);

/* It is connected, or has ended. If others waited for it, they go. */
void scout_leave(struct scout *scout);

#endif
