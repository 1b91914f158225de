/* libfetchd: asks the fetchd daemon of this host for URLs.
 *
 * The daemon's worker processes do the fetching: this library links no HTTP, no TLS and no event
 * loop, starts no thread, installs no signal handler and never ends its host. It speaks to one
 * local socket, on Windows to a named pipe, and gives back what came.
 *
 * FIRST, A WHOLE PROGRAM
 *
 *     #include <fetchd/client.h>
 *     #include <stdio.h>
 *
 *     int main(int argc, char **argv)
 *     {
 *         const char *url = argc > 1 ? argv[1] : "https://example.com/";
 *         struct fetchd_options options = { .size = sizeof options, .url = url, .follow = true };
 *         struct fetchd_client *client = fetchd_open(NULL);
 *         struct fetchd_reply *reply = fetchd_fetch(client, &options, 30000);
 *         if (reply)
 *             printf("%u, %zu bytes\n%s", reply->response->status, reply->body_size, reply->body);
 *         else
 *             fprintf(stderr, "%s\n", fetchd_last_error(client)->message);
 *         int code = reply ? 0 : fetchd_last_error(client)->exit_code;
 *         fetchd_reply_free(reply);
 *         fetchd_close(client);
 *         return code;
 *     }
 *
 *     cc fetch.c $(pkg-config --cflags --libs fetchd)
 *
 * THREE WAYS TO USE IT
 *
 * 1. Whole: fetchd_fetch() waits for one answer and holds it in memory.
 * 2. Streamed: fetchd_start(), then fetchd_write() and fetchd_finish_body() for the body that goes
 *    up, fetchd_wait_response(), fetchd_read() for the body that comes down, fetchd_release().
 *    Several requests may be open at once on one client; what comes for one while another is
 *    waited for is kept, bounded by its window.
 * 3. Events: fetchd_start() as often as wanted, then whenever fetchd_fd() is readable call
 *    fetchd_process() and take events with fetchd_next_event() until it returns NULL. No call of
 *    this kind waits. One read and one write serve all that happened in a turn of the loop.
 *
 * A request is followed in one way, 2 or 3: once a waiting call was made on it, fetchd_next_event()
 * has no events for it any more.
 *
 *     struct fetchd_request *request = fetchd_start(client, &options, my_data);
 *     for (;;) {
 *         const struct fetchd_event *event;
 *         poll(&(struct pollfd){ .fd = fetchd_fd(client), .events = POLLIN }, 1, -1);
 *         fetchd_process(client);
 *         while ((event = fetchd_next_event(client)))
 *             handle(event);
 *     }
 *
 * On Windows wait for the event HANDLE that fetchd_handle() gives, in place of poll() on fetchd_fd().
 *
 * WHAT COMES, AND IN WHICH ORDER
 *
 * For each request that fetchd_start() returned:  HOP*  RESPONSE?  DATA*  DONE.
 * There is exactly one DONE, whatever happens: success, failure, fetchd_cancel(), the death of a
 * worker, of the daemon, or of the connection to it. Nothing comes after it. A body that was cut
 * short ends with a DONE that has an error; a DONE without one means that the body is whole. An
 * HTTP status like 404 is no error. Between them come WRITABLE and REWIND when the body is
 * streamed up (see fetchd_write()).
 *
 * LIFETIMES
 *
 * - fetchd_start() and fetchd_fetch() have copied all they need when they return.
 * - An event and all that it points to live until the next fetchd_process(), fetchd_next_event() or waiting
 *   call with the same client; starting, writing and releasing leave it alone.
 * - A request lives until fetchd_release(), also after its DONE. Releasing one that is not done
 *   cancels it, and no event comes for it any more.
 * - fetchd_last_error() lives until the next call with the same client that fails.
 * - fetchd_close() releases all requests and breaks the connection; the daemon then cancels what
 *   was open.
 * - Strings are NUL-terminated UTF-8 unless something else is said; header values are the bytes
 *   that came.
 *
 * MEMORY
 *
 * The daemon may send no more body than the window allows, 256 KiB a request by default and 16 MiB
 * in all. What the application takes is given back by itself. So a slow reader slows its origin
 * down and costs nothing; fetchd_pause() does it on purpose. When answers that nobody takes fill the
 * 16 MiB, 64 of them at 256 KiB, no other comes on this client: with so many open at once use events
 * or smaller windows, rather than waiting for one after the other.
 *
 * THREADS, FORKS, SIGNALS
 *
 * - A client and its requests belong to one thread at a time. Different clients share nothing, so
 *   each thread can have its own.
 * - After fork() the child has a copy of the client without its connection: it must not touch what
 *   the parent is doing. The first call in the child notices; each open request gets its DONE
 *   there (daemon.lost), and the next request connects anew. fetchd_fd() must be asked again.
 *   fetchd_close() in the child disturbs nothing in the parent.
 * - No SIGPIPE is raised. A signal that interrupts a waiting call makes it go on with the time that
 *   is left; only fetchd_wait() returns early then, so that a program can look at its flags.
 *
 * THE CONNECTION
 *
 * fetchd_open() does not connect; the first request does. When the daemon dies, each open request
 * gets its DONE daemon.lost and the next request connects again. When no daemon runs, fetchd_start()
 * fails and the message names the addresses that were tried and how to start one.
 * The address is $FETCHD_ADDRESS, else unix:$XDG_RUNTIME_DIR/fetchd/fetchd.sock for the user's own
 * daemon and then unix:/run/fetchd/fetchd.sock for the system's. The socket, its directory and the
 * process behind it must belong to root, to the user who asks, or to the one that $FETCHD_USER names (a
 * name or a number; without it, at the system's address, the user "fetchd"), so that nobody else can
 * pose as the daemon.
 *
 * On Windows it is $FETCHD_ADDRESS, else pipe:\\.\pipe\fetchd-SID for the daemon of the user with that SID, and then
 * pipe:\\.\pipe\fetchd for the service. The pipe must belong to the system, to the administrators, to the user who asks,
 * or to the one that $FETCHD_USER names (a name or a SID; without it, at the service's address, its account
 * "NT SERVICE\fetchd"), and so must the process behind it, where Windows tells whose it is. It learns who asks and can
 * do nothing in that name (SECURITY_IDENTIFICATION). When all instances of the pipe are taken, connecting waits
 * for one: two seconds at most, also in calls that else never wait.
 *
 * ERRORS
 *
 * A function that fails returns NULL or a negative number, and fetchd_last_error() says why; a
 * request that fails carries its error in DONE. Both are struct fetchd_error: a stable dotted name
 * to decide by ("dns.failed", "timeout.total"), a message for people, and whether asking again
 * may help.
 *
 * UNITS AND VERSIONS
 *
 * Units are in the names: _ms, _us, _bytes. A timeout of -1 waits as long as it takes, 0 not at all.
 * Structs that you fill begin with their size, so that they can grow: set it, and zero the rest
 * (designated initializers do, and so does fetchd_options_init()); zero is each field's default.
 * They are data and not setters because a request is packed and forgotten by one call: nothing has
 * to be kept, freed or checked halfway. Structs that you are given may grow at their end; don't
 * copy them by value across versions of the library.
 */
#ifndef FETCHD_CLIENT_H
#define FETCHD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef FETCHD_API
#if defined(__GNUC__) && !defined(_WIN32)
#define FETCHD_API __attribute__((visibility("default")))
#else
#define FETCHD_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- errors ---- */

struct fetchd_error {
    const char *name;          /* stable and dotted, never NULL: "connect.refused" */
    const char *message;       /* for people, never NULL */
    const char *phase;         /* queue, dns, connect, tls, proxy, send, wait, body, close, or "" */
    bool retryable;            /* asking again may help and can harm nothing */
    int exit_code;             /* what fetchctl exits with */
    unsigned curl_code;        /* extra detail that changes with curl's version; 0 for none */
    const char *curl_name;     /* "" for none */
    int os_errno;              /* 0 for none */
    unsigned attempts, worker;
    uint64_t bytes_sent, bytes_received;
};

/* The exit code of fetchctl for an error name, curl's where curl has one; 2 for an unknown name. */
FETCHD_API int fetchd_error_exit_code(const char *name);

/* What a name means, in one sentence without a full stop. */
FETCHD_API const char *fetchd_error_text(const char *name);

/* ---- the client ---- */

struct fetchd_client;
struct fetchd_request;

/* The version of the library, "0.1.0". */
FETCHD_API const char *fetchd_version(void);

/* A client for the daemon at `address` ("unix:/path", "pipe:\\\\.\\pipe\\name"), or for the default one when it is NULL. Does
 * not connect. NULL only without memory; every other function takes such a NULL client and fails,
 * so that the first check can be the last. */
FETCHD_API struct fetchd_client *fetchd_open(const char *address);

/* Frees the client and its requests. NULL is allowed. */
FETCHD_API void fetchd_close(struct fetchd_client *client);

/* Names the program for the daemon's log, "myprogram/1.2", at most 128 bytes; before connecting.
 * It decides nothing. */
FETCHD_API void fetchd_set_name(struct fetchd_client *client, const char *name);

/* Connects now and waits until the daemon has answered. 0, or -1. Not needed: requests connect. */
FETCHD_API int fetchd_connect(struct fetchd_client *client, int timeout_ms);

/* Why the last call failed. Never NULL. */
FETCHD_API const struct fetchd_error *fetchd_last_error(const struct fetchd_client *client);

struct fetchd_daemon {
    const char *address;       /* where it was reached */
    const char *server;        /* "fetchd/0.1.0" */
    const char *instance;      /* new at each start of the daemon */
    unsigned protocol;
    unsigned max_requests;     /* most that may be open at once on this connection, 0: not said */
    const char *const *features;
    size_t feature_count;
};

/* The daemon that answered, or NULL before it did. Lives until the connection is lost. */
FETCHD_API const struct fetchd_daemon *fetchd_daemon_info(const struct fetchd_client *client);

/* ---- what to ask for ---- */

/* Of a request: a header that goes out, in the order given, also with an empty value. A value of NULL
 * leaves the header out: none of that name goes out, not even fetchd's own (User-Agent, Accept,
 * Accept-Encoding, Expect). */
struct fetchd_header {
    const char *name;
    const char *value;
};

struct fetchd_options {
    size_t size;               /* sizeof(struct fetchd_options) */
    const char *url;           /* http, https, ftp or ftps; ws or wss for a WebSocket */
    const char *method;        /* NULL: GET */
    const struct fetchd_header *headers;
    size_t header_count;

    const void *body;          /* sent whole; at most FETCHD_INLINE_BODY_BYTES, but for fetchd_fetch() */
    size_t body_size;
    bool body_streamed;        /* the body follows by fetchd_write() */
    uint64_t body_length;      /* of a streamed body; 0: unknown */
    bool rewindable;           /* a streamed body can be written again from its start */

    bool follow;               /* redirects */
    int max_redirects;         /* 0: 50; negative: the first one is an error */
    bool compressed;           /* offer gzip, br and zstd, and decode the answer */
    bool fresh;                /* a connection of its own, closed afterwards */
    const char *http_version;  /* "1.0", "1.1"; "2": or 1.1, but by prior knowledge for http:; "2-only"; "3": or
                                * what TLS agrees on where UDP does not get through soon; "3-only". NULL: the best
                                * that TLS agrees on, or HTTP/3 where the origin announced it (RFC 7838) */

    unsigned connect_timeout_ms;  /* 0: the daemon's setting, for all four */
    unsigned headers_timeout_ms;
    unsigned idle_timeout_ms;     /* between two bytes of the body */
    unsigned total_timeout_ms;
    uint64_t max_body_bytes;      /* decoded; more is an error. 0: the daemon's setting */
    uint64_t rate_bytes;          /* a second, each way; 0: no limit. Not of a WebSocket */
    uint32_t window_bytes;        /* how much may come before it is taken; 0: 256 KiB */
    bool hold_body;               /* of the body nothing comes until fetchd_take_body() or fetchd_write_body_to() */

    const char *credentials;   /* "user:password" for the origin */
    const char *proxy;         /* [scheme://][user:password@]host[:port] */
    const char *const *resolve;   /* "host:port:address[,address]", as curl's --resolve */
    size_t resolve_count;
    const void *ca_pem;        /* trust these certificates instead of the system's */
    size_t ca_pem_size;
    const void *cert_pem;      /* the client's certificate chain and its key */
    size_t cert_pem_size;
    const void *key_pem;
    size_t key_pem_size;
    bool insecure;             /* don't verify the origin's certificate, where [tls] insecure allows it */

    const char *const *require;   /* features without which the request must fail */
    size_t require_count;

    unsigned attempts;         /* in all, when a failure may pass; 0: the daemon's setting */
    bool retry_5xx;            /* any 5xx is such a failure, not only 503 with Retry-After */

    /* of a WebSocket: */
    const char *const *subprotocols;   /* in order of preference */
    size_t subprotocol_count;
    bool fragments;            /* messages come in pieces, as the server sends them */
    bool control_frames;       /* pings, pongs and the close come as messages, too */
    uint64_t max_message_bytes;   /* that may come; more ends it with 1009. 0: 64 MiB, UINT64_MAX: no limit */
    unsigned ping_interval_ms;    /* a keep-alive ping so often; 0: none */
    unsigned pong_timeout_ms;     /* for its answer; 0: 20 s */
    unsigned close_timeout_ms;    /* for the peer's answer to our close; 0: 5 s */
    bool reconnect;            /* open it again when its worker is lost */

    /* who asks, and by which way: */
    const char *auth;          /* how `credentials` are shown: "basic", "digest" or "any"; NULL: basic */
    const char *bearer;        /* an OAuth 2 token for the origin (RFC 6750), instead of `credentials` */
    const char *proxy_credentials;   /* "user:password" for the proxy as they are; in its URL odd characters are %XX */
    const char *proxy_auth;    /* as `auth`, for the proxy */
    const void *proxy_ca_pem;  /* for an https:// proxy: trust these certificates instead of the system's */
    size_t proxy_ca_pem_size;
    bool proxy_insecure;       /* don't verify that proxy's certificate; as `insecure` */
    const char *proxy_pool;    /* take a proxy of the daemon's [proxy_pool "NAME"], not `proxy` */
    const char *proxy_key;     /* requests with one key get one proxy of the pool while it works; NULL: in turn */
    const char *const *connect_to;   /* "host:port:other host:other port", as curl's --connect-to */
    size_t connect_to_count;
    bool ca_extends;           /* `ca_pem` is trusted besides the system's certificates, not instead */
    const char *pinned_key;    /* "sha256//BASE64[;...]": the origin's public key, as curl's --pinnedpubkey */
    const char *tls_min;       /* "1.0" to "1.3"; NULL: the daemon's setting, below which no request goes */
    const char *tls_max;
    unsigned tls_timeout_ms;   /* for one TLS handshake, within connect_timeout_ms; 0: the daemon's setting */
    bool want_certs;           /* the response has the origin's certificates */

    /* of an ftp or ftps URL: GET downloads a file or, when the URL ends with /, lists a folder; a header
     * "Range: bytes=100-" resumes; HEAD asks for size and date; PUT uploads, POST appends. Other headers
     * mean nothing to it. */
    const char *ftp_tls;       /* on an ftp URL ask for TLS: "require", or "try"; ftps is always encrypted */
    bool list_names;           /* of a folder: names only (NLST) */
    bool ftp_create_dirs;      /* make the folders that an upload's path misses */

    /* A body of unknown length or above 1 MiB asks over HTTP/1.1 before it leaves (Expect: 100-continue, RFC
     * 9110 10.1.1) and waits so long for the answer; 0: 1 s. The header { "Expect", "100-continue" } makes
     * any body ask, { "Expect", NULL } none. A 417 is answered by asking again without. */
    unsigned expect_timeout_ms;
    bool redirect_https_only;  /* a redirect to http is an error, redirect.invalid */
    uint64_t max_header_bytes; /* of the answer, trailers included; 0, or more: the daemon's setting */
    const struct fetchd_header *query;   /* name=value pairs to put behind the URL's query, percent-encoded */
    size_t query_count;        /* by the library; a value of NULL: the name alone */
    const char *session;       /* whose cookies and HSTS it uses, see SESSIONS below; NULL: none */
};

#define FETCHD_INLINE_BODY_BYTES 786432
#define FETCHD_WHOLE_BODY_BYTES (64 * 1024 * 1024)

/* Zeroes `options` and sets its size: fetchd_options_init(&options, sizeof options). For languages
 * without designated initializers. */
FETCHD_API void fetchd_options_init(struct fetchd_options *options, size_t size);

/* ---- what comes back ---- */

struct fetchd_response {
    unsigned status;           /* of FTP the reply's code: 150 or 125 of a download, 226 of an upload */
    const char *http_version;  /* "1.1", "2", "3", or "" (FTP) */
    const char *url;           /* of a RESPONSE the URL after redirects, of a HOP where it leads */
    const struct fetchd_header *headers;   /* in the order received, names as received */
    size_t header_count;
    const char *const *certs;  /* PEM, the origin's own first, each vouched for by the next; with want_certs */
    size_t cert_count;
};

struct fetchd_done {
    const struct fetchd_error *error;      /* NULL on success */
    unsigned status;           /* of FTP the last reply's code: 226 */
    unsigned attempts;         /* how often the daemon tried */
    unsigned worker;           /* who did it */
    unsigned redirects;
    bool reused;               /* the connection to the origin was open already */
    uint64_t bytes_sent;       /* headers and body */
    uint64_t bytes_received;   /* headers and body as they came */
    uint64_t body_bytes;       /* as delivered, so decoded */
    uint64_t dns_us;           /* all five since the start of the last attempt */
    uint64_t connect_us;
    uint64_t tls_us;
    uint64_t first_byte_us;
    uint64_t total_us;
    const char *remote;        /* address:port of the origin or proxy, or "" */
    unsigned close_code;       /* of a WebSocket: as received; 1005 without one, 1006 without a close */
    const char *close_reason;  /* "" for none */
    uint64_t raw_body_bytes;   /* of the body as it came, so still coded; body_bytes is what it became */
    bool complete;             /* whole, and its end was told by a length, a last chunk, a frame or TLS. false
                                  for one that ended with a connection without TLS: then nobody can know */
    const struct fetchd_header *trailers;   /* header fields that came behind the body */
    size_t trailer_count;
    uint64_t queue_us;         /* that the last attempt waited in the daemon for its turn */
    uint64_t redirect_us;      /* from the start of the first attempt to that of the last hop */
    uint64_t sent_us;          /* the last byte of the request had left; since the start of the last attempt */
    const char *alpn;          /* what TLS agreed on: "http/1.1", "h2", "h3", or "" */
};

/* The value of the first header of that name in any case, or NULL. */
FETCHD_API const char *fetchd_find_header(const struct fetchd_response *response, const char *name);

/* ---- requests ---- */

/* Begins a request and connects first when needed. It leaves with the next fetchd_process(),
 * fetchd_next_event() that returns NULL, or waiting call. `user` comes back with each event. The
 * request, or NULL when the options are wrong or no daemon can be reached. Connecting to a local
 * socket does not wait; a daemon whose queue is full is "overloaded". */
FETCHD_API struct fetchd_request *fetchd_start(struct fetchd_client *client,
                                               const struct fetchd_options *options, void *user);

/* Asks the daemon to stop. DONE still comes, with the error `cancelled` unless it was faster. */
FETCHD_API void fetchd_cancel(struct fetchd_request *request);

/* While a request is paused, what was taken is not given back: at most its window still comes. */
FETCHD_API void fetchd_pause(struct fetchd_request *request, bool paused);

/*
 * Where the body goes is decided when the response is known, for a request with `hold_body`.
 *
 * fetchd_write_body_to() has the worker write it into a regular file or memfd of a local file system, open
 * for writing, from its present position (at its end with O_APPEND): the bytes don't pass through the daemon
 * and this process, no DATA event comes, DONE tells how it went (`output.failed`, and what write(2) said, when
 * a byte could not be written). The descriptor stays yours, and may be closed at once; leave the file alone
 * until DONE. 0, or FETCHD_FAILED with fetchd_last_error() where that can't be (the daemon lacks the feature
 * "output", there has been no RESPONSE, it was called before): then the body still waits. A daemon that does
 * not know the file system for a local one has the body come as DATA events instead.
 *
 * fetchd_take_body() has it come as DATA events.
 */
FETCHD_API int fetchd_write_body_to(struct fetchd_request *request, int fd);
FETCHD_API void fetchd_take_body(struct fetchd_request *request);

/* Ends the caller's interest; NULL is allowed. */
FETCHD_API void fetchd_release(struct fetchd_request *request);

/* ---- the body that goes up, when `body_streamed` was set ---- */

enum {
    FETCHD_FAILED = -1,        /* see fetchd_last_error() */
    FETCHD_TIMED_OUT = -2,
    FETCHD_REWOUND = -3,       /* write the body again from its start */
    FETCHD_REOPENED = -4,      /* of a WebSocket: its worker was lost, messages may be missing */
    FETCHD_CLOSED = -5,        /* of a WebSocket: the end, by a close on both sides */
};

/* Takes up to `size` bytes and returns how many: less than `size` when the credit is used up. With
 * a timeout it waits until all are taken, and returns less only when the time is over, FETCHD_TIMED_OUT
 * when that is none. With timeout 0 it never waits; 0 bytes taken means: go on at the next
 * WRITABLE event.
 *
 * FETCHD_REWOUND (with events: a REWIND event) comes only when `rewindable` was set: the origin or
 * a redirect wants the body again. Begin again at its first byte.
 * FETCHD_FAILED when the request is done: the answer came before the body was sent, or it failed.
 * Go on with fetchd_wait_done() or fetchd_wait_response(), which says what happened. */
FETCHD_API int64_t fetchd_write(struct fetchd_request *request, const void *data, size_t size,
                                int timeout_ms);

/* The body is complete. 0, FETCHD_FAILED or FETCHD_REWOUND as above. */
FETCHD_API int fetchd_finish_body(struct fetchd_request *request);

/* True when the body is wanted again although it was complete; the waiting calls below return NULL or
 * FETCHD_REWOUND then, before their time is over. Says it once: write the body again from its start. */
FETCHD_API bool fetchd_rewound(struct fetchd_request *request);

/* ---- multipart forms (RFC 7578), as the body that goes up ----
 *
 *     struct fetchd_part parts[] = { { .name = "title", .data = "Spring", .size = 6 },
 *                                    { .name = "photo", .path = "/home/me/spring.png" } };
 *     struct fetchd_form *form = fetchd_form_open(parts, 2);
 *     struct fetchd_header type = { "Content-Type", fetchd_form_type(form) };
 *     struct fetchd_options options = { .size = sizeof options, .url = url, .method = "POST",
 *                                       .headers = &type, .header_count = 1,
 *                                       .body_streamed = true, .body_length = fetchd_form_size(form) };
 *     struct fetchd_request *request = fetchd_start(client, &options, NULL);
 *     while ((got = fetchd_form_read(form, buffer, sizeof buffer)) > 0
 *            && fetchd_write(request, buffer, (size_t)got, -1) == got)
 *         ;
 *     fetchd_finish_body(request);
 *     fetchd_form_close(form);
 *
 * Files are opened by fetchd_form_open() and read by this process when their turn comes: neither the daemon
 * nor a worker opens a path. A form belongs to no client, and to one thread at a time. */
struct fetchd_part {
    const char *name;
    const void *data;          /* the value, copied ... */
    size_t size;
    const char *path;          /* ... or a file, "-" for stdin; NULL: `data` */
    const char *filename;      /* that the server is told; NULL: the last part of `path`, none for data */
    const char *type;          /* Content-Type; NULL: by the ending of `path`, none for data */
};

struct fetchd_form;

/* NULL with errno set: a file can't be opened, memory is short. Strings are copied. */
FETCHD_API struct fetchd_form *fetchd_form_open(const struct fetchd_part *parts, size_t count);
FETCHD_API void fetchd_form_close(struct fetchd_form *form);   /* NULL is allowed */

/* "multipart/form-data; boundary=...", which lives as long as the form. */
FETCHD_API const char *fetchd_form_type(const struct fetchd_form *form);

/* Bytes in all, for body_length; 0 when a part is no regular file: then nobody knows. */
FETCHD_API uint64_t fetchd_form_size(const struct fetchd_form *form);

/* The next bytes: how many, 0 at the end, -1 with errno set (EIO: a file became shorter meanwhile). */
FETCHD_API int64_t fetchd_form_read(struct fetchd_form *form, void *buffer, size_t size);

/* Back to the start, for FETCHD_REWOUND. 0, or -1 when a part is no regular file. */
FETCHD_API int fetchd_form_rewind(struct fetchd_form *form);

/* ---- waiting for one request ---- */

/* The response, which lives as long as the request; NULL when the time is over or the request
 * failed before it came. Wait with fetchd_wait_done() to tell the two apart. */
FETCHD_API const struct fetchd_response *fetchd_wait_response(struct fetchd_request *request,
                                                              int timeout_ms);

/* The next bytes of the body, at most `size`: how many, 0 at the end of a whole body, FETCHD_TIMED_OUT,
 * or FETCHD_FAILED (then fetchd_last_error() is the request's error). */
FETCHD_API int64_t fetchd_read(struct fetchd_request *request, void *buffer, size_t size, int timeout_ms);

/* How it ended, which lives as long as the request. Drops what is left of the body. NULL when the
 * time is over. */
FETCHD_API const struct fetchd_done *fetchd_wait_done(struct fetchd_request *request, int timeout_ms);

struct fetchd_reply {
    const struct fetchd_response *response;
    const char *body;          /* followed by a NUL that is not counted */
    size_t body_size;
    const struct fetchd_done *done;
};

/* One whole fetch. NULL when it failed, fetchd_last_error() says why. The body may have
 * `max_body_bytes`, or FETCHD_WHOLE_BODY_BYTES when that is 0; the body that goes up may have any size.
 * Free it with fetchd_reply_free(), which takes NULL. */
FETCHD_API struct fetchd_reply *fetchd_fetch(struct fetchd_client *client,
                                             const struct fetchd_options *options, int timeout_ms);
FETCHD_API void fetchd_reply_free(struct fetchd_reply *reply);

/* ---- WebSockets ----
 *
 * A WebSocket is a request for a URL of ws or wss. What is said above holds for it: it lives until
 * fetchd_release(), fetchd_cancel() drops it without a close, fetchd_pause() stalls it, it has
 * exactly one DONE, and several of them and other requests may be open at once on one client. It is
 * followed in one way: by the waiting calls below, or by events.
 *
 *     struct fetchd_options options = { .size = sizeof options, .url = "wss://example.com/feed" };
 *     struct fetchd_request *socket = fetchd_ws_open(client, &options, 10000);
 *     const struct fetchd_ws_message *message;
 *     int got = fetchd_ws_send(socket, FETCHD_WS_TEXT, "hello", 5, false, 5000) == 5 ? 0 : FETCHD_FAILED;
 *     while (got == 0 && (got = fetchd_ws_recv(socket, &message, 60000)) == 0)
 *         printf("%.*s\n", (int)message->size, (const char *)message->data);
 *     if (got == FETCHD_TIMED_OUT)
 *         got = fetchd_ws_close(socket, 1000, "", 5000);
 *     if (got == FETCHD_FAILED)
 *         fprintf(stderr, "%s\n", fetchd_last_error(client)->message);
 *     fetchd_release(socket);
 *
 * With events: fetchd_start(), then  HOP*  WS_OPEN  WS_MESSAGE...  DONE,  and the calls below with
 * a timeout of 0, which never wait and leave with the next fetchd_process() or fetchd_next_event()
 * that returns NULL. One that returns FETCHD_TIMED_OUT, or takes less than it was given, is to be
 * made again after the next WRITABLE. An origin that refuses gives a RESPONSE that is no 101,
 * perhaps, and a DONE with the error websocket.refused. In DONE the close code and reason are the
 * peer's.
 *
 * CREDIT: what is sent waits for credit, so that a peer which does not read stops its sender and
 * costs no memory: 256 KiB or so are taken at once, larger messages leave in pieces. What comes may
 * fill the window before it is taken. Both sides waiting for each other to read is possible as with
 * any socket: a program that sends much to an echo must receive in between, so give its sends a
 * timeout.
 *
 * PINGS are answered by the daemon at once, also while the program does nothing.
 *
 * LOST WORKERS: the DONE of a WebSocket whose worker died is worker.lost. With options.reconnect it
 * is opened again instead, with back-off. Messages may then be missing both ways, those half sent
 * or half received are void, and the program is told: by WS_REOPEN, and a WS_OPEN when it is open
 * again; by FETCHD_REOPENED from fetchd_ws_recv(), once for each time, after the messages that came
 * before; and by FETCHD_REOPENED from the send whose message was cut in two (begin it again) or the
 * flush that will have no answer.
 *
 * A thread at a time may use a client, so one thread can't send on a socket while another receives.
 * Use events, or a client for each. */

enum fetchd_ws_kind {      /* opcodes of RFC 6455 */
    FETCHD_WS_TEXT = 1,
    FETCHD_WS_BINARY = 2,
    FETCHD_WS_CLOSE = 8,
    FETCHD_WS_PING = 9,
    FETCHD_WS_PONG = 10,
};

struct fetchd_ws_message {
    enum fetchd_ws_kind kind;  /* other than text and binary only with options.control_frames */
    bool more;                 /* with options.fragments: the message goes on in the next of its kind */
    const void *data;          /* text is valid UTF-8, not NUL-terminated; of a close the reason */
    size_t size;
    unsigned code;             /* of a close */
};

/* Begins a WebSocket and waits until it is open; fetchd_wait_response(socket, 0) then has the 101 at once,
 * with the subprotocol that was chosen (after a reconnect, the newest one's). NULL when it failed or the time
 * is over: nothing is left to be released then. */
FETCHD_API struct fetchd_request *fetchd_ws_open(struct fetchd_client *client,
                                                 const struct fetchd_options *options, int timeout_ms);

/* Sends a message, or a piece of one: `more` says that others follow. Waits for credit. Returns
 * `size` when all was taken; less when the time was over (call it again with the rest and the same
 * kind and `more`); FETCHD_TIMED_OUT when nothing was, which is all or nothing up to 4 KiB;
 * FETCHD_REOPENED when the message was begun on a connection that is gone: begin it again;
 * FETCHD_FAILED when the socket is done, or can't say that (text must be UTF-8). What was taken is
 * on its way; fetchd_ws_flush() says how far. `data` may be that of a received message; of an event
 * only with timeout 0. */
FETCHD_API int64_t fetchd_ws_send(struct fetchd_request *socket, enum fetchd_ws_kind kind, const void *data,
                                  size_t size, bool more, int timeout_ms);

/* A ping of at most 125 bytes; its pong comes as a message when options.control_frames is set. 0,
 * or as above. */
FETCHD_API int fetchd_ws_ping(struct fetchd_request *socket, const void *data, size_t size, int timeout_ms);

/* Waits until all that was sent is handed to the worker's kernel: 0, FETCHD_TIMED_OUT, FETCHD_REOPENED or
 * FETCHD_FAILED. Messages that come meanwhile are kept. With timeout 0 it asks, and WS_FLUSHED comes for each
 * one that returned 0. */
FETCHD_API int fetchd_ws_flush(struct fetchd_request *socket, int timeout_ms);

/* The next message: 0 and *ret_message, which lives until the next call for the same socket that
 * receives; FETCHD_TIMED_OUT, and no message is lost, nor any part of one; FETCHD_REOPENED;
 * FETCHD_CLOSED; FETCHD_FAILED. After the last two fetchd_wait_done(socket, 0) tells the rest. */
FETCHD_API int fetchd_ws_recv(struct fetchd_request *socket, const struct fetchd_ws_message **ret_message,
                              int timeout_ms);

/* Closes: sends a close with this code (1000 to 1003, 1007 to 1014, 3000 to 4999, or 0 for none)
 * and reason (UTF-8, at most 123 bytes, NULL for none), then waits for the peer's and drops
 * messages that come before it. 0 when both have closed, FETCHD_TIMED_OUT, or FETCHD_FAILED when it
 * ended otherwise. With timeout 0 it does not wait: receive on until FETCHD_CLOSED, or DONE.
 * Nothing can be sent after it. The first one counts. */
FETCHD_API int fetchd_ws_close(struct fetchd_request *socket, unsigned code, const char *reason,
                               int timeout_ms);

/* ---- events ---- */

enum fetchd_event_type {
    FETCHD_EVENT_HOP = 1,      /* response: a redirect that is followed */
    FETCHD_EVENT_RESPONSE,     /* response */
    FETCHD_EVENT_DATA,         /* data, size: the next bytes of the body */
    FETCHD_EVENT_WRITABLE,     /* size: fetchd_write() takes that much now */
    FETCHD_EVENT_REWIND,       /* write the body again from its start */
    FETCHD_EVENT_DONE,         /* done */
    /* of the connection, without a request: */
    FETCHD_EVENT_CONNECTED,    /* the daemon has answered: fetchd_daemon_info() */
    FETCHD_EVENT_DRAINING,     /* it finishes what is open and takes nothing new; error says why */
    FETCHD_EVENT_LOST,         /* error; the DONE of each open request follows */
    /* of a WebSocket: */
    FETCHD_EVENT_WS_OPEN,      /* response: the 101, in place of RESPONSE; again after each WS_REOPEN */
    FETCHD_EVENT_WS_MESSAGE,   /* message */
    FETCHD_EVENT_WS_FLUSHED,   /* what was sent before a fetchd_ws_flush() is with the kernel */
    FETCHD_EVENT_WS_REOPEN,    /* its worker was lost: it is opened again, messages may be missing */
};

struct fetchd_event {
    enum fetchd_event_type type;
    struct fetchd_request *request;
    void *user;                /* as given to fetchd_start() */
    const struct fetchd_response *response;
    const void *data;
    size_t size;
    const struct fetchd_done *done;
    const struct fetchd_error *error;      /* of DONE (as done->error), LOST and DRAINING */
    const struct fetchd_ws_message *message;
};

#ifndef _WIN32
/* One descriptor for poll(), epoll, libuv, asyncio: call fetchd_process() when it is readable. Wait for
 * reading only, also when something is to be written. It stays the same as long as the client,
 * whatever happens to the connection (in the child of a fork it is another one). Owned by the
 * client. -1 without descriptors or memory. Ask for it before the first request or after, it
 * doesn't matter. */
FETCHD_API int fetchd_fd(struct fetchd_client *client);
#else
/* The same on Windows: the HANDLE of an event that is set while fetchd_process() has something to do. To be waited for,
 * and neither set, reset nor closed: WaitForMultipleObjects(), MsgWaitForMultipleObjects(), RegisterWaitForSingleObject() (call
 * the library from the thread that owns the client, not from the wait's), in Python
 * asyncio.ProactorEventLoop()._proactor.wait_for_handle(). It stays the same as long as the client. NULL without
 * handles or memory.
 *
 *     while (WaitForSingleObject(fetchd_handle(client), INFINITE) == WAIT_OBJECT_0) {
 *         const struct fetchd_event *event;
 *         fetchd_process(client);
 *         while ((event = fetchd_next_event(client)))
 *             handle(event);
 *     }
 *
 * A thread that ends takes back what it began to send or receive: let the one that started requests live as long as
 * they do. */
FETCHD_API void *fetchd_handle(struct fetchd_client *client);
#endif

/* Sends what is queued, as far as that goes without waiting, and lets fetchd_next_event() read once
 * what has come. */
FETCHD_API void fetchd_process(struct fetchd_client *client);

/* The next event, or NULL when there is none yet; then all that was asked meanwhile has been sent
 * as well. Take events until NULL comes: while some are left, fetchd_fd() need not be readable nor the event be set. */
FETCHD_API const struct fetchd_event *fetchd_next_event(struct fetchd_client *client);

/* Sends, then waits until fetchd_next_event() has something: 1, or 0 when the time is over, a signal
 * came, or there is no connection that could bring an event. */
FETCHD_API int fetchd_wait(struct fetchd_client *client, int timeout_ms);

/* ---- sessions ----
 *
 * A session is a name under which requests share cookies (RFC 6265bis) and HSTS (RFC 6797). The daemon keeps
 * it for the user: every client of the user sees it, no other user does, and what belongs to it survives
 * this connection and any worker. What a response or a redirect set is in the session when its event
 * comes. A request names its session in options.session; an unknown one is the error session.unknown.
 *
 *     fetchd_free(fetchd_session_create(client, "work", FETCHD_SESSION_MAY_EXIST, 5000));
 *     struct fetchd_options options = { .size = sizeof options, .url = url, .session = "work" };
 *
 * The calls below wait for the daemon's answer, as fetchd_ping() does; what comes for requests meanwhile is
 * kept. */

struct fetchd_cookie {
    const char *name;          /* "" for one without a name; never NULL from the library, NULL is "" to it */
    const char *value;         /* bytes as the origin wrote them */
    const char *domain;        /* lower case, without a dot first */
    const char *path;          /* NULL or "" to the library: "/" */
    int64_t expires;           /* Unix time; 0: with the session; one that is past, to the library: remove it */
    bool host_only;            /* for the domain itself, not for hosts below it */
    bool secure;               /* sent over TLS only */
    bool http_only;
};

struct fetchd_cookies {
    const struct fetchd_cookie *items;   /* oldest first */
    size_t count;
};

struct fetchd_session {
    const char *name;
    bool persistent;
    unsigned cookies, hsts_hosts;
    unsigned requests;         /* open ones that use it */
    uint64_t idle_ms;          /* since it was used last */
};

struct fetchd_sessions {
    const struct fetchd_session *items;
    size_t count;
};

enum {
    FETCHD_SESSION_PERSISTENT = 1,   /* kept in a file, and there again after the daemon's restart */
    FETCHD_SESSION_MAY_EXIST = 2,    /* one of that name is fine, as it is */
    FETCHD_SESSION_BOUND = 4,        /* ends with this connection */
};

/* Makes a session; with `name` NULL the daemon chooses one. A name has letters, digits, '.', '_' and '-', at
 * most 64, and no '.' first. Its name, to be freed with fetchd_free(), or NULL: session.exists,
 * quota.exceeded, request.unsupported where nothing can be persistent, ... */
FETCHD_API char *fetchd_session_create(struct fetchd_client *client, const char *name, unsigned flags,
                                       int timeout_ms);

/* Forgets it, with its file. Requests under way go on without its cookies. 0, FETCHD_FAILED or
 * FETCHD_TIMED_OUT. */
FETCHD_API int fetchd_session_destroy(struct fetchd_client *client, const char *name, int timeout_ms);

/* The user's sessions, to be freed with fetchd_free(). NULL on failure. */
FETCHD_API struct fetchd_sessions *fetchd_session_list(struct fetchd_client *client, int timeout_ms);

/* Its cookies, or with `url` those that a request for it would send; to be freed with fetchd_free(). NULL on
 * failure. */
FETCHD_API struct fetchd_cookies *fetchd_session_cookies(struct fetchd_client *client, const char *name,
                                                         const char *url, int timeout_ms);

/* Puts cookies into it, after forgetting all it has (HSTS too) with `clear`. Any domain may be named, but no
 * public suffix, and the rules of Secure and of the prefixes __Host- and __Secure- hold. How many were
 * taken, FETCHD_FAILED or FETCHD_TIMED_OUT; those that broke a rule are left out. */
FETCHD_API int64_t fetchd_session_set(struct fetchd_client *client, const char *name,
                                      const struct fetchd_cookie *cookies, size_t count, bool clear,
                                      int timeout_ms);

/* The same from the text of a cookie file in Netscape's format, as curl and browsers' tools write it. Lines
 * that are no cookies are left out, and with `junk_session` those that do not outlive a session. */
FETCHD_API int64_t fetchd_session_import(struct fetchd_client *client, const char *name, const char *text,
                                         size_t size, bool junk_session, int timeout_ms);

/* Its cookies as such a text, to be freed with fetchd_free(). NULL on failure. */
FETCHD_API char *fetchd_session_export(struct fetchd_client *client, const char *name, int timeout_ms);

/* ---- the daemon itself ---- */

/* Microseconds there and back, FETCHD_TIMED_OUT or FETCHD_FAILED. */
FETCHD_API int64_t fetchd_ping(struct fetchd_client *client, int timeout_ms);

/* What the daemon and its workers are doing, as one JSON object or as lines for people. NULL on
 * failure; free it with fetchd_free(). */
FETCHD_API char *fetchd_status_json(struct fetchd_client *client, int timeout_ms);
FETCHD_API char *fetchd_status_text(struct fetchd_client *client, int timeout_ms);

/* Its metrics in the Prometheus text format. NULL on failure; free it with fetchd_free(). */
FETCHD_API char *fetchd_metrics(struct fetchd_client *client, int timeout_ms);

FETCHD_API void fetchd_free(void *memory);

/* For the daemon's own user and root: reads its settings again; finishes what is open and stops. 0 when
 * that is done or, for the second, begun; else FETCHD_FAILED or FETCHD_TIMED_OUT. */
FETCHD_API int fetchd_reload(struct fetchd_client *client, int timeout_ms);
FETCHD_API int fetchd_drain(struct fetchd_client *client, int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
