/* The sockets that libcurl uses, and one uv_poll for each of them that it wants watched.
 *
 * libcurl takes a kept-alive connection's socket out of its watch after each answer and puts it back
 * with the next request; the same with the wake-up of its resolver threads, whenever a multi has nothing
 * to do. Following at once would cost two system calls a request, and five for the wake-up, so a
 * socket that we opened ourselves stays watched, and so does a wake-up; when something arrives that nobody waits
 * for (the peer closed, most likely) it is taken out then. Before a socket is closed its poll always is: libcurl
 * tells us by CURLOPT_CLOSESOCKETFUNCTION. The wake-up lives as long as its multi and is forgotten with that.
 * Sockets that libcurl makes itself, for DNS over HTTPS, are followed at once: it closes them unseen. */
#ifndef WORKER_WATCH_H
#define WORKER_WATCH_H

#include "stream.h"
#include "turn.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <uv.h>

struct multi;
struct watch;

#define WATCH_BUCKETS 4096

struct watches {
    uv_loop_t *loop;
    struct turn *turn;
    uv_prepare_t prepare;     /* nothing that is sent waits longer than for this, before the loop sleeps */
    struct turn_task offer;
    struct watch *noted;      /* their streams have something to send, or to be read */
    /* Something happened on a socket that `multi` waits for: CURL_CSELECT_* bits. */
    void (*on_ready)(struct multi *multi, curl_socket_t fd, int curl_events);
    struct watch *buckets[WATCH_BUCKETS];
    unsigned opened, limit;   /* sockets that we opened, and how many that may be */
};

/* One for a process: libcurl's recv and send find theirs by the descriptor. */
void watches_init(struct watches *watches, struct turn *turn,
                  void (*on_ready)(struct multi *multi, curl_socket_t fd, int curl_events));

/* For CURLOPT_OPENSOCKETFUNCTION: a non-blocking socket, CURL_SOCKET_BAD above the limit or on failure. */
curl_socket_t watches_open(struct watches *watches, const struct curl_sockaddr *address);

/* For CURLOPT_CLOSESOCKETFUNCTION. */
int watches_close(struct watches *watches, curl_socket_t fd);

/* For CURLMOPT_SOCKETFUNCTION: `what` is CURL_POLL_*. */
void watches_set(struct watches *watches, curl_socket_t fd, int what, struct multi *multi);

/* HTTP/2 is spoken on a socket of ours: see stream.h, which asks for the stream of a descriptor, NULL where nothing
 * is shared, and says that it has something to send, or that the turn's end matters to it. */
void watches_share(struct watches *watches, curl_socket_t fd);
struct stream *watches_stream(curl_socket_t fd);
void watches_note_stream(curl_socket_t fd);

/* Takes a socket of ours over from libcurl, which has said that it no longer watches it: what comes is
 * told to `owner` from here on, with libuv's status and events, until the socket is closed. One poll
 * handle serves both, since libuv allows no two that are active on one descriptor. NULL for a socket
 * that is not ours. */
struct watch *watches_claim(struct watches *watches, curl_socket_t fd,
                            void (*on_event)(void *owner, int status, int events), void *owner);

/* What its new owner waits for: UV_READABLE | UV_WRITABLE, or 0. */
void watch_want(struct watch *watch, int uv_events);

/* Before the end of a multi: what libcurl made for it will be closed without a word. */
void watches_forget(struct watches *watches, const struct multi *multi);

/* Sockets that nobody uses and that the peer has closed: all of them, or those of one multi. */
unsigned watches_count_dead(const struct watches *watches, const struct multi *multi_or_null);

#endif
