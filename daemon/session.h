/* One client connection: greeting, limits, the requests it has open, and what waits to be sent. */
#ifndef DAEMON_SESSION_H
#define DAEMON_SESSION_H

#include "peer.h"
#include "queue.h"

#include "ipc/channel.h"
#include "ipc/credit.h"
#include "ipc/error.h"
#include "ipc/message.h"

#include <stdbool.h>
#include <uv.h>

struct daemon;
struct request;
struct principal;
struct conf_class;
struct quota;

struct session {
    struct daemon *daemon;
    struct session *prev, *next;   /* utlist.h wants these names */
    unsigned number;
    int fd;                          /* the channel's, for peer_read */
    struct peer peer;
    struct principal *principal;     /* NULL: not known yet, and nothing it says is taken */
    const struct conf_class *class;  /* of the running configuration */
    bool admin;
    unsigned group;                  /* of the crew, by the class at its birth */
    struct queue_flow flow;          /* its requests that wait for a worker */
    bool greeted, closing, deaf;
    bool binds;                      /* it has jars that end with it */
    unsigned open_handles;
    struct ipc_channel channel;
    uv_timer_t timer;                /* greeting, then half-sent frames */
    uint64_t partial_since_ms;
    uint32_t last_id;
    struct request *requests;        /* by client_id */
    unsigned streams;
    struct request *starved;         /* waiting for the client to read */
    int64_t credit;                  /* the connection's, for DATA towards the client */
    struct ipc_buffer held;          /* frames that wait for it, in order */
    struct ipc_window window;        /* the connection's, for DATA from the client */
};

/* Takes over `fd`. NULL when it can't be served: the descriptor is closed then. One that may not
 * connect is told so and closes by itself, on Windows with its first frame: before that nobody tells who it is. */
struct session *session_create(struct daemon *daemon, int fd, unsigned number);

/* Asks the configuration again who this is; closes one that may no longer be here. */
void session_judge(struct session *session);

/* Ends the connection with an ERROR; its requests are cancelled. */
void session_fail(struct session *session, enum ipc_error_code code, const char *message);

/* Ends it without a word. The memory goes when its handles have closed. */
void session_close(struct session *session);

/* To the client. What does not fit ends the session in the loop's next turn. */
void session_send(struct session *session, unsigned number, uint32_t id, const void *message);
void session_send_body(struct session *session, unsigned number, uint32_t id, const uint8_t *body,
                       size_t body_length);
void session_send_data(struct session *session, uint32_t id, const void *data, size_t bytes);

/* Passes on a worker's MESSAGE with a payload of so many bytes. */
void session_send_message(struct session *session, uint32_t id, const struct ipc_frame *frame, size_t payload_bytes);

/* What comes now is not taken: the daemon drains. */
void session_say_goaway(struct session *session);

void session_enter(struct session *session, struct request *request);
void session_leave(struct session *session, struct request *request);

/* Puts a request on, or takes it off, the list of those that session_has_room kept waiting. */
void session_starve(struct session *session, struct request *request, bool starved);

/* False while the client reads so slowly that its workers should be held back. */
bool session_has_room(const struct session *session);

unsigned session_streams(const struct session *session);
uint32_t session_principal(const struct session *session);
struct quota session_quota(const struct session *session);

/* With whom it shares connections in a worker: an opaque number, by [isolation] pool. */
uint32_t session_pool(const struct session *session);

/* Sends DATA that waited for the connection's credit. */
void session_release_held(struct session *session);

#endif
