/* A curl easy handle and the options of a fetch. Handles are used again, by requests of the same
 * partition: what is the same for all of them is set once, and a plain GET then sets two options. */
#ifndef WORKER_EASY_H
#define WORKER_EASY_H

#include "ipc/message.h"

#include <curl/curl.h>
#include <stdbool.h>

struct partition;
struct settings;
struct transfer;
struct way;

/* libcurl's callbacks; each gets the struct easy. */
struct easy_calls {
    size_t (*on_curl_header)(char *line, size_t size, size_t count, void *easy);
    size_t (*on_curl_write)(char *data, size_t size, size_t count, void *easy);
    size_t (*on_curl_read)(char *place, size_t size, size_t count, void *easy);
    int (*on_curl_seek)(void *easy, curl_off_t offset, int origin);
    int (*on_curl_prereq)(void *easy, char *remote, char *local, int remote_port, int local_port);
    curl_socket_t (*on_curl_open_socket)(void *easy, curlsocktype purpose, struct curl_sockaddr *address);
    int (*on_curl_close_socket)(void *watches, curl_socket_t fd);   /* outlives the easy handle */
    CURLcode (*on_curl_ssl_ctx)(CURL *curl, void *ssl_ctx, void *easy);
};

struct easy {
    CURL *curl;
    struct partition *partition;
    struct transfer *transfer;    /* whose it is now */
    struct easy *next;            /* in the partition's pool */
    long http_version;            /* as set last */
    bool spoiled;                 /* libcurl remembers what the next request must not inherit */
    bool plain;                   /* nothing was set that the next request must not inherit */
    bool shares;                  /* but this, which easy_prepare() sees to */
    struct curl_slist connect_to; /* the place of an alternative, in the next */
    char place[300];
    char error[CURL_ERROR_SIZE];
};

/* NULL without memory. */
struct easy *easy_create(struct partition *partition);
void easy_destroy(struct easy *easy);

/* Its request has ended: what was that one's own, credentials among it, goes. False without memory. */
bool easy_forget(struct easy *easy);

/* Sets what this fetch wants; `lines`, the fetch and the way must live until the transfer's end. `shares`:
 * its connection will be able to carry others too, so one that is being made is worth waiting for. */
CURLcode easy_prepare(struct easy *easy, const struct ipc_fetch *fetch, struct curl_slist *lines,
                      const struct way *way, bool shares);

/* For a WebSocket: after the answer 101 the connection is ours. */
CURLcode easy_connect_only(struct easy *easy);

/* Its connection is not to be used again: something is wrong with it. For a transfer that libcurl still has. */
void easy_forbid_reuse(struct easy *easy);

/* HTTP/2 is spoken on its connection (stream.h). */
void easy_share_connection(struct easy *easy);

/* The same when libcurl is done with it: libcurl would give a broken HTTP/2 connection to the next request. */
void easy_break_connection(struct easy *easy);

/* Microseconds, bytes and the like of a transfer that ended or is under way. */
void easy_fill_done(struct easy *easy, struct ipc_done *done);
long easy_info(struct easy *easy, CURLINFO info);           /* of those that are long */
uint64_t easy_big_info(struct easy *easy, CURLINFO info);   /* of those that are curl_off_t */

/* The SSL of a connection that is there; NULL without TLS. */
void *easy_ssl(struct easy *easy);

#endif
