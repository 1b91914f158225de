/* A request's alarm: a timer of its own, which outlives the request until libuv has closed it. */
#include "sleeper.h"

#include "daemon.h"
#include "request.h"

#include <stdlib.h>

struct sleeper {
    uv_timer_t timer;
    struct request *request;
};

static void on_uv_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_uv_timer(uv_timer_t *timer)
{
    struct sleeper *sleeper = timer->data;
    struct request *request = sleeper->request;
    sleep_cancel(request);
    request_event(request, REQUEST_WAKE, NULL);
}

void sleep_until(struct request *request, uint64_t due_ms)
{
    uint64_t now_ms = uv_now(&request->daemon->loop);
    struct sleeper *sleeper = request->sleeper;
    if (!sleeper) {
        sleeper = malloc(sizeof *sleeper);
        if (!sleeper)
            abort();   /* small and fixed: nothing sensible can follow */
        uv_timer_init(&request->daemon->loop, &sleeper->timer);
        sleeper->timer.data = sleeper;
        sleeper->request = request;
        request->sleeper = sleeper;
    }
    uv_timer_start(&sleeper->timer, on_uv_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

void sleep_cancel(struct request *request)
{
    struct sleeper *sleeper = request->sleeper;
    if (!sleeper)
        return;
    request->sleeper = NULL;
    sleeper->request = NULL;
    uv_close((uv_handle_t *)&sleeper->timer, on_uv_closed);
}
