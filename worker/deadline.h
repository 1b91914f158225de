/* The times a request has: to connect, for a TLS handshake, to get the answer's headers, between two bytes
 * of a body, and in all. They are ours, beside libcurl's, because only we know which bytes are payload: an
 * origin that keeps a connection busy without ever sending a byte of its answer ends on time here. One
 * timer a request; it is armed again only for an earlier time, and looks at the clock when it fires. */
#ifndef WORKER_DEADLINE_H
#define WORKER_DEADLINE_H

#include <stdbool.h>
#include <uv.h>

enum deadline_kind {
    DEADLINE_NONE, DEADLINE_CONNECT, DEADLINE_TLS, DEADLINE_HEADERS, DEADLINE_IDLE, DEADLINE_TOTAL,
};

/* Milliseconds; 0: none. The time to connect holds for the TLS handshake too. */
struct deadline_limits { uint64_t connect_ms, tls_ms, headers_ms, idle_ms, total_ms; };

struct deadline {
    uv_timer_t timer;
    void (*on_expired)(struct deadline *deadline, enum deadline_kind kind);
    void (*on_wake)(struct deadline *deadline);
    struct deadline_limits limits;
    enum deadline_kind phase;    /* which of them runs beside the total */
    uint64_t phase_at_ms;        /* since when; for idle, the last byte */
    uint64_t connect_at_ms;      /* when the time to connect began to run */
    uint64_t total_at_ms, wake_at_ms, armed_ms;
};

void deadline_init(struct deadline *deadline, uv_loop_t *loop);

/* The total begins to run, and the time to connect. */
void deadline_begin(struct deadline *deadline, const struct deadline_limits *limits);

/* Another time runs from now on; DEADLINE_NONE: only the total. */
void deadline_enter(struct deadline *deadline, enum deadline_kind phase);

/* A TLS handshake begins, with a proxy or with the origin. */
void deadline_enter_tls(struct deadline *deadline);

/* It is over, and what is left of the time to connect goes on. */
void deadline_leave_tls(struct deadline *deadline);

/* A byte of payload went by. Cheap. */
void deadline_progress(struct deadline *deadline);

/* Calls on_wake once, that much later. */
void deadline_wake(struct deadline *deadline, uint64_t after_ms);

/* Which of them is over by the loop's clock: for one who can't wait for the timer. DEADLINE_NONE: none. */
enum deadline_kind deadline_over(const struct deadline *deadline);

void deadline_end(struct deadline *deadline);

#endif
