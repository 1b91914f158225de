/* libcurl's event interface on libuv. */
#include "multi.h"

#include "log.h"

#include <assert.h>
#include <stdlib.h>

/* ---- running ---- */

static void report_done(struct multi *multi)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi->curl, &left))) {
        if (message->msg == CURLMSG_DONE)
            multi->hub->on_done(message->easy_handle, message->data.result);
    }
}

static void act(struct multi *multi, curl_socket_t fd, int curl_events)
{
    int running_handles;
    CURLMcode result = curl_multi_socket_action(multi->curl, fd, curl_events, &running_handles);
    if (result != CURLM_OK)
        log_line(LOG_LEVEL_ERROR, "curl_multi_socket_action: %s", curl_multi_strerror(result));
    report_done(multi);
}

static void on_watch_ready(struct multi *multi, curl_socket_t fd, int curl_events)
{
    act(multi, fd, curl_events);
}

static void run_now(struct turn_task *task)
{
    act((struct multi *)task, CURL_SOCKET_TIMEOUT, 0);
}

/* ---- libcurl's callbacks ---- */

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data)
{
    struct multi *multi = data;
    (void)easy, (void)socket_data;
    watches_set(&multi->hub->watches, fd, what, multi);
    return 0;
}

static void arm(struct multi *multi);

static void on_uv_timer(uv_timer_t *timer)
{
    struct multi *multi = timer->data;
    multi->armed_ms = 0;
    if (multi->due_ms == 0)
        return;
    if (uv_now(timer->loop) < multi->due_ms) {
        arm(multi);
        return;
    }
    multi->due_ms = 0;
    act(multi, CURL_SOCKET_TIMEOUT, 0);
}

/* A timer that is armed for too early is left alone and armed again when it fires: libcurl moves
 * its timeouts with each request, mostly to later. */
static void arm(struct multi *multi)
{
    uint64_t now_ms = uv_now(multi->timer.loop);
    if (multi->armed_ms != 0 && multi->armed_ms <= multi->due_ms)
        return;
    multi->armed_ms = multi->due_ms;
    uv_timer_start(&multi->timer, on_uv_timer, multi->due_ms > now_ms ? multi->due_ms - now_ms : 0, 0);
}

static int on_curl_timer(CURLM *curl, long timeout_ms, void *data)
{
    struct multi *multi = data;
    (void)curl;
    multi->due_ms = 0;
    if (timeout_ms == 0) {
        turn_add(multi->hub->turn, &multi->task);
    } else if (timeout_ms > 0) {
        multi->due_ms = uv_now(multi->timer.loop) + (uint64_t)timeout_ms;
        arm(multi);
    } else if (multi->armed_ms != 0) {
        uv_timer_stop(&multi->timer);
        multi->armed_ms = 0;
    }
    return 0;
}

/* ---- life ---- */

void multi_hub_init(struct multi_hub *hub, struct turn *turn, void (*on_done)(CURL *easy, CURLcode result))
{
    *hub = (struct multi_hub){ .turn = turn, .on_done = on_done };
    watches_init(&hub->watches, turn, on_watch_ready);
}

static bool configure(struct multi *multi, unsigned connections, unsigned resolver_threads)
{
    CURLM *curl = multi->curl;
    CURLMcode result = curl_multi_setopt(curl, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    result |= curl_multi_setopt(curl, CURLMOPT_SOCKETDATA, multi);
    result |= curl_multi_setopt(curl, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    result |= curl_multi_setopt(curl, CURLMOPT_TIMERDATA, multi);
    /* Pinned: by itself libcurl resizes its pool with the number of transfers and so closes what it
     * could use again. */
    result |= curl_multi_setopt(curl, CURLMOPT_MAXCONNECTS, (long)connections);
    result |= curl_multi_setopt(curl, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)connections);
    result |= curl_multi_setopt(curl, CURLMOPT_RESOLVE_THREADS_MAX, (long)resolver_threads);
    /* A resolver thread that hangs must not hold up the end of its partition. */
    result |= curl_multi_setopt(curl, CURLMOPT_QUICK_EXIT, 1L);
    return result == CURLM_OK;
}

struct multi *multi_create(struct multi_hub *hub, unsigned connections, unsigned resolver_threads)
{
    struct multi *multi = calloc(1, sizeof *multi);
    if (!multi)
        return NULL;
    multi->task.run = run_now;
    multi->hub = hub;
    multi->curl = curl_multi_init();
    if (!multi->curl) {
        free(multi);
        return NULL;
    }
    uv_timer_init(hub->turn->check.loop, &multi->timer);
    multi->timer.data = multi;
    if (!configure(multi, connections, resolver_threads)) {
        multi_close(multi);
        return NULL;
    }
    return multi;
}

static void on_uv_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void multi_close(struct multi *multi)
{
    assert(multi->transfers == 0);
    watches_forget(&multi->hub->watches, multi);
    curl_multi_cleanup(multi->curl);
    if (multi->task.queued)
        turn_forget(multi->hub->turn, &multi->task);
    uv_close((uv_handle_t *)&multi->timer, on_uv_closed);
}

CURLMcode multi_add(struct multi *multi, CURL *easy)
{
    CURLMcode result = curl_multi_add_handle(multi->curl, easy);
    if (result == CURLM_OK)
        multi->transfers++;
    return result;
}

void multi_remove(struct multi *multi, CURL *easy)
{
    curl_multi_remove_handle(multi->curl, easy);
    multi->transfers--;
}

void multi_drop_connections(struct multi *multi)
{
    curl_multi_setopt(multi->curl, CURLMOPT_NETWORK_CHANGED, CURLMNWC_CLEAR_CONNS);
}

void multi_limit_threads(struct multi *multi, unsigned resolver_threads)
{
    curl_multi_setopt(multi->curl, CURLMOPT_RESOLVE_THREADS_MAX, (long)resolver_threads);
}
