/* A client and its requests, as the files of the library share them. The public functions are in
 * the file of their noun; what one file needs of another is declared here. */
#ifndef CLIENT_CORE_H
#define CLIENT_CORE_H

#include "failure.h"
#include "fetchd/client.h"
#include "ipc/credit.h"
#include "ipc/unpack.h"
#include "poller.h"
#include "stash.h"
#include "text.h"
#include "wire.h"
#include "words.h"

#define ADDRESS_BYTES 512
#define SPARE_REQUESTS 256
#define UPLOAD_QUEUED_BYTES ((size_t)1024 * 1024)   /* unsent bytes above which writers wait */

/* open -> ended (its DONE came or was made here) -> told (the application has it) */
enum request_state { REQUEST_OPEN, REQUEST_ENDED, REQUEST_TOLD };

struct fetchd_request {
    struct fetchd_client *client;
    struct fetchd_request *next_in_bucket;
    struct fetchd_request *next, *previous;               /* all that are not released */
    struct fetchd_request *next_ready, *previous_ready;   /* those with something to tell */
    void *user;
    uint32_t id;
    unsigned connection;       /* the one it was made on */
    enum request_state state;
    bool is_ready;
    bool waited_for;           /* followed by waiting calls: no events */
    bool safe;                 /* a method that may be repeated */
    bool responded;            /* RESPONSE has arrived */
    bool paused;
    bool held;                 /* its body waits to be taken, or written to a file */
    bool written;              /* ... and it is written: no DATA comes */
    bool streamed, rewindable; /* the body that goes up */
    bool rewind_due;           /* REWIND has arrived and is not answered */
    bool writable_due, starved;
    bool finishing, finished;  /* the end of the body is wanted; is sent */
    enum ipc_error_code failure;   /* how it ended without a DONE from the daemon */
    int64_t credit;            /* to send */
    int64_t withheld;          /* credit not given back while paused */
    struct ipc_window window;  /* to receive */
    uint64_t body_bytes;
    struct stash stash;
    struct websocket *websocket;   /* NULL: it is none */

    /* of one that is waited for */
    bool has_response;
    struct words response_words, done_words;
    struct fetchd_response response;
    struct fetchd_done done;
    struct fetchd_error error;
};

/* The first whole frame on the wire, accounted for, that someone has to be told. */
struct front {
    struct fetchd_request *request;   /* NULL: no such frame yet */
    struct ipc_frame frame;
};

/* What the last event points to, until the next call that takes events. */
struct taken {
    struct fetchd_request *request;   /* NULL when it was released meanwhile */
    struct stash_item *item;          /* it came from a stash, */
    bool from_wire;                   /* or stands first on the wire */
    struct ipc_frame frame;
    bool is_data;
    unsigned connection;
    size_t payload_bytes;
};

/* One question about the daemon itself. */
struct question {
    uint32_t id;               /* of STATUS and its like; 0: none is open */
    uint64_t token;            /* of PING; 0: none is open */
    bool answered, as_json;
    struct text answer;        /* for people or programs, when there is more to say than yes; or */
    unsigned type;             /* the body of a message of this number */
    struct failure failure;    /* name NULL: none */
};

struct fetchd_client {
    char *address;             /* as given, or NULL */
    char *name;
    long process;              /* a fork is another one */
    char reached[ADDRESS_BYTES];
    struct wire wire;
    struct poller poller;
    struct ipc_decoder decoder;
    bool has_decoder;
    bool welcomed, draining;
    bool may_read;             /* fetchd_process() was called, its read is still to come */
    unsigned connection;       /* how many there were */
    uint32_t last_id;
    uint64_t last_token;
    struct ipc_window window;  /* to receive, all requests together */
    int64_t credit;            /* to send */

    struct words daemon_words;
    struct fetchd_daemon daemon;

    struct fetchd_request **buckets;
    size_t bucket_count, open_count;
    struct fetchd_request *requests;
    struct fetchd_request *ready_first, *ready_last;
    struct fetchd_request *spare;
    size_t spare_count;

    struct front front;
    struct taken taken;
    unsigned notices;          /* a set of 1 << FETCHD_EVENT_CONNECTED, _DRAINING, _LOST */
    struct failure lost, drained;

    struct question question;
    struct failure failure;    /* fetchd_last_error */

    struct words event_words;
    struct fetchd_event event;
    struct fetchd_response response;
    struct fetchd_done done;
    struct fetchd_error done_error;
};

/* ---- connect.c ---- */

/* Makes sure of a connection that was alive a moment ago. 0, or -1 with client->failure set. */
int client_ensure_connected(struct fetchd_client *client);

/* Ends the connection: each open request has failed with `code`. */
void __attribute__((format(gnu_printf, 3, 4))) client_lose(struct fetchd_client *client,
                                                       enum ipc_error_code code, const char *format, ...);

/* Notices that this is the child of a fork and lets go of what is the parent's. */
void client_check_fork(struct fetchd_client *client);

/* Queues a message; one that does not fit loses the connection. */
void client_say(struct fetchd_client *client, unsigned number, uint32_t id, const void *message);

/* Sends what is queued. */
void client_flush(struct fetchd_client *client);

/* ---- request.c ---- */

struct fetchd_request *request_find(const struct fetchd_client *client, uint32_t id);

/* It has its DONE or will never get one: nothing more is heard of it. */
void request_end(struct fetchd_request *request, enum ipc_error_code failure);

/* Nothing good can come of it any more: asks the daemon to stop, drops what was kept, and ends it. */
void request_fail(struct fetchd_request *request, enum ipc_error_code code);

/* Puts it among those that fetchd_next_event() looks at. */
void request_mark_ready(struct fetchd_request *request);
void request_unmark_ready(struct fetchd_request *request);

/* From here on it is followed by waiting calls. */
void request_wait_for(struct fetchd_request *request);

/* Gives back what a DATA of that connection cost: to the connection if it is still the same, and to the
 * request, which may be NULL, while it is open. */
void request_give_back(struct fetchd_client *client, unsigned connection, struct fetchd_request *request,
                       size_t payload_bytes);

/* ---- upload.c ---- */

/* What may be sent now: the lesser of the request's credit and the connection's. */
int64_t upload_credit(const struct fetchd_request *request);

/* False when nothing may be: it is over, ending or beginning again, or too much is unsent. */
bool upload_is_possible(const struct fetchd_request *request);

/* How much of a body can be sent now. */
size_t upload_room(const struct fetchd_request *request);

/* More credit has come: the end of the body may leave, or a writer may go on. */
void upload_continue(struct fetchd_request *request);
void upload_continue_all(struct fetchd_client *client);

/* Answers REWIND: the body begins again. */
void upload_rewind(struct fetchd_request *request);

/* ---- arrive.c ---- */

/* Acts on the frames that have come until one is for the application: true, client->front has it.
 * Loses the connection at its end or at a frame that must not be. */
bool arrive_next(struct fetchd_client *client);

/* True for a frame that costs credit, with its payload's size. */
bool arrive_payload(struct fetchd_client *client, const struct ipc_frame *frame, size_t *ret_bytes);

/* Keeps the front for later. */
void arrive_stash_front(struct fetchd_client *client);

/* Drops the front: nobody wants it any more. */
void arrive_drop_front(struct fetchd_client *client);

/* ---- event.c ---- */

/* Lets go of what the last event pointed to. */
void event_release(struct fetchd_client *client);

/* The next event of a request that is waited for, or NULL; what comes for others is kept. */
const struct fetchd_event *event_of(struct fetchd_request *request);

/* Acts on what has come and keeps all of it for later. */
void event_keep_all(struct fetchd_client *client);

/* ---- control.c ---- */

/* Asks a question of its own id and waits for the answer, which is in client->question then: 0,
 * FETCHD_TIMED_OUT, or FETCHD_FAILED with the client's failure set. `client` may be NULL. */
int control_ask(struct fetchd_client *client, unsigned number, const void *message, int64_t deadline_ms);

/* ---- wait.c ---- */

/* Milliseconds of a clock that only grows. */
int64_t wait_now_ms(void);

/* When `timeout_ms` is over: a time of that clock, or -1 for never. */
int64_t wait_deadline(int timeout_ms);

/* The next event of the request, waited for. NULL when the time is over, when it is done, or when its
 * body must be written again. */
const struct fetchd_event *wait_event(struct fetchd_request *request, int64_t deadline_ms);

/* Sends, then waits for the connection and reads once. 0, or -1 when the time is over or there is no
 * connection; 1 after a signal. */
int wait_once(struct fetchd_client *client, int64_t deadline_ms);

#endif
