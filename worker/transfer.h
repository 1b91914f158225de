/* One fetch: from FETCH to its one DONE. transfer.c is its life and its request body, dial.c how it
 * gets a connection, answer.c what comes back, hop.c how it follows a redirect, websocket.c what it
 * becomes when the answer is 101. */
#ifndef WORKER_TRANSFER_H
#define WORKER_TRANSFER_H

#include "body.h"
#include "deadline.h"
#include "failure.h"
#include "ftp.h"
#include "h3window.h"
#include "headers.h"
#include "partition.h"
#include "tls.h"
#include "upload.h"
#include "way.h"

enum transfer_state {
    TRANSFER_IDLE,        /* in the pool */
    TRANSFER_QUEUED,      /* its scout is under way */
    TRANSFER_RUNNING,     /* libcurl has it */
    TRANSFER_HOPPING,     /* HOP was said, GO is awaited */
    TRANSFER_DRAINING,    /* libcurl is done; the end of the body waits for credit */
    TRANSFER_WEBSOCKET,   /* libcurl made the connection, websocket.c uses it */
};

struct transfer {
    struct transfer *next;             /* in its id's bucket, or in the pool */
    struct transfers *owner;
    uint32_t id;
    enum transfer_state state;
    struct ipc_fetch *fetch;           /* kept; changed by redirects */
    struct ipc_go *go;                 /* the last one, kept: its cookies are the fetch's; NULL before */
    char *hop_url, *next_url;          /* what fetch->url borrows after a redirect; where one leads */
    struct curl_slist *lines;
    struct destination_policy *rules;  /* of its user's class, before the worker's own; NULL without */
    struct partition *partition;       /* while QUEUED or RUNNING */
    struct scout scout;
    struct transfer *next_ready;       /* need not wait for a scout any longer */
    struct easy *easy;                 /* while RUNNING */
    struct multi *multi;
    char host[256];                    /* of the URL */
    char target[256];                  /* where it is to connect: `host`, or what connect_to makes of it */
    unsigned target_port;
    char origin_key[IPC_ORIGIN_BYTES];
    unsigned port;                     /* of the URL, or its scheme's */
    struct way way;
    bool misdirected;                  /* an alternative knows nothing of the origin: it is to be asked itself */
    bool is_http, is_https, idempotent;

    /* The hop under way. */
    enum failure_phase phase;          /* as far as it has come, from TLS on */
    bool sent;                         /* a request byte may have left */
    bool dialled;                      /* an address passed the egress rules, since the last request */
    const void *socks_target;          /* libcurl's name for what a SOCKS proxy is to connect to; only compared */
    bool proxy_secured;                /* the handshake with an HTTPS proxy began on the newest connection */
    bool deferred;                     /* an answer's headers wait: libcurl may ask again with credentials */
    unsigned challenges;               /* how many such there were */
    bool datagrams;                    /* the last address was tried over UDP */
    bool remote_public;
    char remote[46];                   /* numeric address of the peer, "" before there is one */
    int remote_port;
    bool is_hop;                       /* a redirect to follow: its body is dropped */
    size_t dropped_bytes;
    bool windowed;                     /* counts as an answer over HTTP/2 or 3 */
    struct h3window h3window;
    uint64_t asked_ms;                 /* when it went out on a kept HTTP/3 connection, until that is heard of */
    char alpn[16];                     /* the protocol that TLS agreed on, "" without */
    bool receive_paused;               /* libcurl was told to hold the body back */
    curl_off_t sent_bytes;             /* of an inline body, when it was looked at last */
    struct failure denial;             /* the last address that was refused, if any */
    char *certs;                       /* what cert_texts borrow, when the fetch wants them */
    struct ipc_text cert_texts[TLS_CHAIN_MOST];
    size_t cert_count;
    struct ftp ftp;

    bool announced, responded;
    bool expects;                      /* may wait for 100 Continue, so that the client's body waits, too */
    bool expect_refused;               /* ... and the origin answered 417: it is asked once more, without */
    unsigned redirects;
    struct headers headers;
    struct body body;
    struct upload upload;
    struct websocket *websocket;       /* of a ws: or wss: URL */
    struct deadline deadline;
    struct outflow_waiter waiter;
    struct failure failure;            /* our own reason to end it; error is NONE without */
    struct ipc_done done;
};

#define TRANSFER_BUCKETS 4096

struct transfers {
    struct ipc_channel *channel;
    struct outflow *outflow;
    const struct settings *settings;
    struct partitions partitions;
    void (*on_empty)(struct transfers *transfers);   /* the last one ended */
    void (*on_broken)(struct transfers *transfers, const char *reason);   /* can't go on */
    struct transfer *buckets[TRANSFER_BUCKETS];      /* ids grow, so that they spread */
    struct transfer *pool;
    unsigned count, pooled;
    struct turn_task ready_task;
    struct transfer *ready, **ready_last;            /* their scouts are connected */
    struct ipc_pair *pairs;                          /* room for the headers of one answer */
    size_t pairs_capacity;
    uint64_t tls_failures;
    bool drained;                                    /* WebSockets are not to stay open any more */
};

void transfers_init(struct transfers *transfers, struct multi_hub *hub, struct outflow *outflow,
                    struct ipc_channel *channel, const struct settings *settings);

/* Messages of the daemon. False when it breaks the protocol; *ret_reason says how. */
bool transfers_fetch(struct transfers *transfers, uint32_t id, const struct ipc_fetch *fetch,
                     const char **ret_reason);
bool transfers_data(struct transfers *transfers, uint32_t id, struct ipc_bytes payload,
                    const char **ret_reason);
bool transfers_credit(struct transfers *transfers, uint32_t id, uint64_t bytes, const char **ret_reason);
bool transfers_output(struct transfers *transfers, uint32_t id, int fd, const char **ret_reason);   /* takes `fd` over */
bool transfers_go(struct transfers *transfers, uint32_t id, const struct ipc_go *go, const char **ret_reason);
void transfers_cancel(struct transfers *transfers, uint32_t id);

/* From within a wait of libcurl: dooms those whose time is over; true when there was one. */
bool transfers_overdue(struct transfers *transfers);

/* For multi_hub: libcurl is done with an easy handle. */
void transfer_on_curl_done(CURL *curl, CURLcode result);

/* ---- between the parts of a transfer ---- */

/* NULL when there is none of this id. */
struct transfer *transfers_find(struct transfers *transfers, uint32_t id);

extern const struct easy_calls transfer_calls;

/* Sends a message about it. */
void transfer_say(struct transfer *transfer, unsigned number, const void *message);

/* Ends it with an error of our own. Not from within a callback of libcurl: there, transfer_doom()
 * keeps the reason, and the callback returns an error. The first reason counts. */
void transfer_fail(struct transfer *transfer, enum ipc_error_code error, const char *message);
void transfer_doom(struct transfer *transfer, enum ipc_error_code error, const char *message);

/* The client may send its body from now on. */
void transfer_open_upload(struct transfer *transfer);

/* Tells libcurl what to hold back, by receive_paused and upload.paused, and to go on with the rest. What
 * it holds then comes at once, by its callbacks. */
void transfer_pause(struct transfer *transfer);

/* Takes it back from libcurl, whose connection may be used again if the transfer was whole. Not from
 * within a callback of libcurl. */
void transfer_leave_curl(struct transfer *transfer);

/* libcurl is done and the body has left: the DONE of success. */
void transfer_complete(struct transfer *transfer);

#endif
