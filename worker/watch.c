/* uv_poll handles in step with libcurl's sockets. */
#include "watch.h"

#include "log.h"
#include "socket.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct watch {
    uv_poll_t poll;
    struct watches *watches;
    struct watch *next;    /* in its bucket */
    struct multi *multi;   /* whose libcurl had it last */
    curl_socket_t fd;
    int wanted, started;   /* UV_READABLE | UV_WRITABLE: what libcurl asked for, what libuv was told */
    bool ours;             /* opened by watches_open */
    bool lasting;          /* not closed without a word to us: ours, and a multi's wake-up */
    bool polled;           /* the poll handle exists */
    bool stale;            /* something came while nobody waited */
    struct stream stream;
    bool noted;            /* it is in the list */
    struct watch *next_noted;
    void (*on_event)(void *owner, int status, int events);   /* NULL: it is libcurl's */
    void *owner;
};

/* Descriptors are dense, Windows' handles multiples of 4. */
static struct watch **bucket_of(struct watches *watches, curl_socket_t fd)
{
    return &watches->buckets[((size_t)fd ^ (size_t)fd >> 2) % WATCH_BUCKETS];
}

static struct watch **find(struct watches *watches, curl_socket_t fd)
{
    struct watch **link = bucket_of(watches, fd);
    while (*link && (*link)->fd != fd)
        link = &(*link)->next;
    return link;
}

static struct watch *add(struct watches *watches, curl_socket_t fd)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    struct watch **bucket = bucket_of(watches, fd);
    watch->watches = watches;
    watch->fd = fd;
    watch->next = *bucket;
    *bucket = watch;
    return watch;
}

static void forget_noted(struct watch *watch)
{
    struct watch **link = &watch->watches->noted;
    while (*link && *link != watch)
        link = &(*link)->next_noted;
    if (*link)
        *link = watch->next_noted;
    watch->noted = false;
}

static void on_uv_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Out of the table at once, so that the descriptor's number may come again; freed by libuv's leave. */
static void discard(struct watch *watch)
{
    struct watch **link = find(watch->watches, watch->fd);
    assert(*link == watch);
    *link = watch->next;
    if (watch->noted)
        forget_noted(watch);
    stream_finish(&watch->stream);
    watch->wanted = watch->started = 0;
    if (watch->polled)
        uv_close((uv_handle_t *)&watch->poll, on_uv_closed);
    else
        free(watch);
}

static void on_uv_poll(uv_poll_t *poll, int status, int events);

/* To be looked at before the loop sleeps: libcurl changes its mind several times a turn, and libuv asks the kernel
 * twice for each change. */
static void note(struct watch *watch)
{
    if (watch->noted)
        return;
    watch->noted = true;
    watch->next_noted = watch->watches->noted;
    watch->watches->noted = watch;
}

/* Makes libuv do what libcurl wants, and tell when what libcurl believes sent can leave. */
static void start(struct watch *watch)
{
    int events = watch->wanted | (watch->stream.blocked ? UV_WRITABLE : 0);
    if (stream_has_input(&watch->stream) && (watch->wanted & UV_READABLE))
        note(watch);
    if (watch->started == events || events == 0)
        return;
    if (!watch->polled) {
        int result = uv_poll_init_socket(watch->watches->loop, &watch->poll, watch->fd);
        if (result < 0) {
            log_line(LOG_LEVEL_ERROR, "a socket can't be watched: %s", uv_strerror(result));
            return;
        }
        watch->poll.data = watch;
        watch->polled = true;
    }
    if (uv_poll_start(&watch->poll, events, on_uv_poll) == 0)
        watch->started = events;
}

static void stop(struct watch *watch)
{
    if (watch->started != 0)
        uv_poll_stop(&watch->poll);
    watch->started = 0;
}

static void tell_curl(struct watch *watch, int curl_events)
{
    watch->watches->on_ready(watch->multi, watch->fd, curl_events);
}

/* What is left of the events when the stream has had its part. */
static int serve_stream(struct watch *watch, int events)
{
    if (!watch->stream.blocked || !(events & UV_WRITABLE))
        return events;
    stream_flush(&watch->stream, watch->fd);
    return watch->wanted & UV_WRITABLE ? events : events & ~UV_WRITABLE;
}

static void on_uv_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    note(watch);   /* whatever becomes of it */
    if (status < 0)
        watch->started = 0;   /* POLLERR: libuv has stopped the handle */
    if (watch->on_event) {
        watch->on_event(watch->owner, status, events);
        start(watch);
        return;
    }
    if (watch->stream.shared) {
        events = serve_stream(watch, events);
        if (events == 0 && status >= 0)
            return;
    }
    if (watch->wanted == 0) {
        watch->stale = true;
        stop(watch);
        return;
    }
    tell_curl(watch, (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0)
              | (status < 0 ? CURL_CSELECT_ERR : 0));
}

/* ---- streams ---- */

static struct watches *only;   /* what recv and send ask */

static bool is_due(const struct watch *watch)
{
    return stream_has_input(&watch->stream) && (watch->wanted & UV_READABLE);
}

/* What was read ahead is no event for the kernel, so it is one here. */
static void offer(struct turn_task *task)
{
    struct watches *watches = (struct watches *)(void *)((char *)task - offsetof(struct watches, offer));
    for (struct watch *watch = watches->noted; watch; watch = watch->next_noted) {
        if (!is_due(watch))
            continue;
        tell_curl(watch, CURL_CSELECT_IN);
        break;   /* the list may be another one now; the rest has its turn */
    }
}

static void on_uv_prepare(uv_prepare_t *prepare)
{
    struct watches *watches = prepare->data;
    struct watch *watch = watches->noted;
    watches->noted = NULL;
    while (watch) {
        struct watch *next = watch->next_noted;
        watch->noted = watch->stream.empty = false;
        if (watch->stream.out_length > 0)
            stream_flush(&watch->stream, watch->fd);
        start(watch);   /* notes it again where something is to be read */
        watch = next;
    }
    if (watches->noted)
        turn_add(watches->turn, &watches->offer);
}

struct stream *watches_stream(curl_socket_t fd)
{
    struct watch *watch = only ? *find(only, fd) : NULL;
    return watch && watch->stream.shared ? &watch->stream : NULL;
}

void watches_note_stream(curl_socket_t fd)
{
    note(*find(only, fd));
}

void watches_share(struct watches *watches, curl_socket_t fd)
{
    struct watch *watch = *find(watches, fd);
    if (watch && watch->ours)
        watch->stream.shared = true;
}

/* ---- life ---- */

void watches_init(struct watches *watches, struct turn *turn,
                  void (*on_ready)(struct multi *multi, curl_socket_t fd, int curl_events))
{
    memset(watches, 0, sizeof *watches);
    watches->loop = turn->check.loop;
    watches->turn = turn;
    watches->on_ready = on_ready;
    watches->limit = UINT32_MAX;
    watches->offer.run = offer;
    uv_prepare_init(watches->loop, &watches->prepare);
    watches->prepare.data = watches;
    uv_prepare_start(&watches->prepare, on_uv_prepare);
    uv_unref((uv_handle_t *)&watches->prepare);
    only = watches;
}

curl_socket_t watches_open(struct watches *watches, const struct curl_sockaddr *address)
{
    if (watches->opened >= watches->limit)
        return CURL_SOCKET_BAD;
    curl_socket_t fd = socket_open(address);
    if (fd == CURL_SOCKET_BAD)
        return CURL_SOCKET_BAD;
    assert(!*find(watches, fd));
    struct watch *watch = add(watches, fd);
    if (!watch) {
        socket_close(fd);
        return CURL_SOCKET_BAD;
    }
    watch->ours = watch->lasting = true;
    watches->opened++;
    return fd;
}

int watches_close(struct watches *watches, curl_socket_t fd)
{
    struct watch *watch = *find(watches, fd);
    if (watch) {
        watches->opened -= watch->ours;
        if (watch->stream.out_length > 0)
            stream_flush(&watch->stream, fd);
        discard(watch);
    }
    return socket_close(fd);
}

void watches_set(struct watches *watches, curl_socket_t fd, int what, struct multi *multi)
{
    struct watch *watch = *find(watches, fd);
    if (watch && watch->on_event)
        return;
    if (what == CURL_POLL_REMOVE) {
        if (watch && !watch->lasting)
            discard(watch);   /* libcurl closes it unseen, and its number may come again */
        else if (watch)
            watch->wanted = 0;
        return;
    }
    if (!watch && !(watch = add(watches, fd))) {
        log_line(LOG_LEVEL_ERROR, "no memory to watch a socket");
        return;
    }
    if (!watch->polled && !watch->ours)
        watch->lasting = !socket_is_one(fd);
    watch->multi = multi;
    watch->stale = false;
    watch->wanted = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    if (watch->wanted == 0)
        stop(watch);
    else
        note(watch);
}

struct watch *watches_claim(struct watches *watches, curl_socket_t fd,
                            void (*on_event)(void *owner, int status, int events), void *owner)
{
    struct watch *watch = *find(watches, fd);
    if (!watch || !watch->ours)
        return NULL;
    watch->on_event = on_event;
    watch->owner = owner;
    watch->stale = false;
    watch_want(watch, 0);
    return watch;
}

void watch_want(struct watch *watch, int uv_events)
{
    watch->wanted = uv_events;
    if (uv_events == 0)
        stop(watch);
    else
        start(watch);
}

void watches_forget(struct watches *watches, const struct multi *multi)
{
    for (size_t i = 0; i < WATCH_BUCKETS; i++) {
        struct watch *watch = watches->buckets[i];
        while (watch) {
            struct watch *next = watch->next;
            if (watch->multi == multi && !watch->ours)
                discard(watch);
            watch = next;
        }
    }
}

/* A socket where something came that nobody waited for: has the peer closed it? */
static bool is_dead(const struct watch *watch)
{
    return watch->ours && watch->stale && watch->wanted == 0 && socket_is_left(watch->fd);
}

unsigned watches_count_dead(const struct watches *watches, const struct multi *multi_or_null)
{
    unsigned count = 0;
    for (size_t i = 0; i < WATCH_BUCKETS; i++)
        for (const struct watch *watch = watches->buckets[i]; watch; watch = watch->next)
            if (!multi_or_null || watch->multi == multi_or_null)
                count += is_dead(watch);
    return count;
}
