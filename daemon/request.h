/* One fetch in flight, between a session and a worker. Every accepted FETCH gets exactly one DONE:
 * request.c's table says what each event does in each state, and only its last step sends DONE. */
#ifndef DAEMON_REQUEST_H
#define DAEMON_REQUEST_H

#include "ipc/frame.h"
#include "ipc/message.h"
#include "ipc/origin.h"

#include "table.h"

#include <stdbool.h>

struct session;
struct supervisor;
struct daemon;
struct queue_flow;
struct origin;
struct jar;
struct proxy;
struct pooled_proxy;
struct sleeper;
struct gate;

enum request_state {
    REQUEST_QUEUED,      /* no worker has it: they are busy, or the origin's limits hold it back */
    REQUEST_WAITING,     /* an attempt failed; the next one's time has not come */
    REQUEST_PLACED,      /* a worker has it, no response was delivered */
    REQUEST_ANSWERED,    /* RESPONSE went to the client: it can't start over */
    REQUEST_ABANDONED,   /* the client has its DONE, or is gone; the worker still owes its own */
    REQUEST_STATES,
};

enum request_event {
    REQUEST_ASSIGN,         /* a worker may have room */
    REQUEST_WAKE,           /* its time has come: the back-off is over, or the origin takes one more */
    REQUEST_REFUSE,         /* the origin's breaker is open */
    REQUEST_EXPIRE,         /* waited too long for a worker, or for its own total timeout */
    REQUEST_SENDING,        /* worker: the first byte of a non-idempotent request leaves */
    REQUEST_HOP,            /* worker: a redirect to follow */
    REQUEST_RESPONSE,       /* worker */
    REQUEST_DATA,           /* worker: response body */
    REQUEST_MESSAGE,        /* worker: a WebSocket message, or a piece */
    REQUEST_FLUSHED,        /* worker: what the client sent so far is with the kernel */
    REQUEST_UPLOAD_CREDIT,  /* worker: it takes so much request body, or messages */
    REQUEST_DONE,           /* worker */
    REQUEST_LOST,           /* its worker is gone; `suspicious` when a request can have caused it */
    REQUEST_BODY,           /* client: request body */
    REQUEST_TELL,           /* client: a WebSocket message, or a piece */
    REQUEST_FLUSH,          /* client: say when it is out */
    REQUEST_OUTPUT,         /* client: write the body to this file */
    REQUEST_CREDIT,         /* client: it takes so much response body */
    REQUEST_REWOUND,        /* client: the body starts again */
    REQUEST_CANCEL,         /* client */
    REQUEST_HANGUP,         /* the client is gone */
    REQUEST_SHUTDOWN,       /* the drain deadline */
    REQUEST_EVENTS,
};

/* What comes with an event; which part depends on the event. */
struct request_detail {
    const struct ipc_frame *frame;
    const union ipc_any *message;
    struct ipc_bytes payload;
    int *descriptor;                  /* OUTPUT: -1 once it is taken */
    struct supervisor *supervisor;
    bool suspicious, alone;           /* LOST: no other was with it */
};

#define REQUEST_SUSPECT_DEATHS 2   /* suspicious deaths after which it runs in quarantine */
#define REQUEST_MOST_LOSSES 16     /* workers that may die of whatever while they have it, before it ends */
#define REQUEST_MOST_DEATHS 4      /* ... and there none is shared after so many: one more is its own doing */

struct request {
    struct daemon *daemon;
    struct session *session;          /* NULL once abandoned */
    struct supervisor *supervisor;    /* NULL in the queue */
    uint32_t client_id, worker_id;
    unsigned group;                   /* of the crew: whose workers may take it */
    UT_hash_handle client_handle, worker_handle;
    struct request *prev, *next;                      /* in its connection's line, at a gate, or among the suspects */
    struct queue_flow *flow;                          /* that line, in the queue or at its origin */
    struct request *starved_prev, *starved_next;  /* in the session, waiting for room */
    enum request_state state;
    bool starved, suspect_queued;

    uint8_t *kept;                    /* the FETCH's body as it would be sent again */
    size_t kept_length;
    struct proxy *proxy;              /* NULL without one */
    struct pooled_proxy *pooled;      /* the one it has of a pool */
    bool pooled_failed;               /* the next attempt is another's */
    struct jar *jar;                  /* its session's cookies and HSTS; NULL without one */
    struct origin *origin;
    bool parked, unparked;            /* in its origin's line; out of it, to ask again */
    bool counts_at_origin, noted_at_origin;
    struct gate *gate;                /* of a WebSocket until its handshake is over */
    bool at_gate;                     /* ... and it waits there for its turn */
    struct sleeper *sleeper;          /* its alarm, while it waits for a time */

    bool trusts_tls, upgraded;        /* certificates are verified; HSTS changed where the last hop leads */
    bool idempotent, announces, sending, from_public, follow, retry_5xx, retrying, websocket, reconnect;
    bool solo;                        /* takes a worker of its own: FTP */
    bool solo_queued;
    unsigned attempts, max_attempts, redirects, max_redirects, deaths, losses;
    uint64_t queued_ms, expires_ms;   /* the latter by its total timeout; 0: never */
    uint64_t waited_ms, begun_ms, hop_ms;   /* for the last attempt; when the first began, and the last hop's */

    int64_t client_credit;            /* response body the client takes */
    int64_t granted;                  /* of that, what the worker may send */

    bool streamed, rewindable;
    unsigned rewinds_due;             /* REWINDs that the client owes: what it sent before them is void */
    bool body_asked;                  /* the client has credit since the body's start: bytes may be on their way */
    bool body_ended, end_waits;       /* the client said the end; the worker does not have it yet */
    bool body_dropped;                /* by a redirect: what still comes is ignored */
    int64_t upload_credit;            /* request body the client may send */
    int64_t upload_withheld;          /* the worker's credit while the client rewinds */
};

/* A FETCH from a client; `id` is new and within the session's limits. Answers with DONE at once
 * when it can't be. */
void request_accept(struct session *session, uint32_t id, const struct ipc_frame *frame,
                    const struct ipc_fetch *fetch);

/* Runs the table. The request may be gone afterwards. */
void request_event(struct request *request, enum request_event event, const struct request_detail *detail);

/* Holds it back at its origin, out of the queue; `until_ms` as origin_admit says. */
void request_park(struct request *request, bool in_front, uint64_t until_ms);

/* The line at an origin moves: whose turn it is asks again. */
void request_move_line(struct origin *origin);

/* Gives the worker as much credit as client and session have room for. */
void request_grant(struct request *request);

struct request *request_of_worker(struct supervisor *supervisor, uint32_t worker_id);

const char *request_state_name(enum request_state state);
const char *request_event_name(enum request_event event);

#endif
