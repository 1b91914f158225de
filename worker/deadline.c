/* One lazy timer for all the times of a request. */
#include "deadline.h"

#define NEVER UINT64_MAX

static uint64_t limit_of(const struct deadline *deadline, enum deadline_kind phase)
{
    switch (phase) {
    case DEADLINE_CONNECT: return deadline->limits.connect_ms;
    case DEADLINE_HEADERS: return deadline->limits.headers_ms;
    case DEADLINE_IDLE: return deadline->limits.idle_ms;
    case DEADLINE_NONE: case DEADLINE_TOTAL: break;
    }
    return 0;
}

static uint64_t phase_due(const struct deadline *deadline)
{
    uint64_t limit_ms = limit_of(deadline, deadline->phase);
    return limit_ms ? deadline->phase_at_ms + limit_ms : NEVER;
}

static uint64_t total_due(const struct deadline *deadline)
{
    return deadline->limits.total_ms ? deadline->total_at_ms + deadline->limits.total_ms : NEVER;
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void on_uv_timer(uv_timer_t *timer);

static void arm(struct deadline *deadline)
{
    uint64_t due = earliest(earliest(phase_due(deadline), total_due(deadline)), deadline->wake_at_ms);
    if (due >= deadline->armed_ms)
        return;
    uint64_t now = uv_now(deadline->timer.loop);
    deadline->armed_ms = due;
    uv_timer_start(&deadline->timer, on_uv_timer, due > now ? due - now : 0, 0);
}

static void on_uv_timer(uv_timer_t *timer)
{
    struct deadline *deadline = timer->data;
    uint64_t now = uv_now(timer->loop);
    deadline->armed_ms = NEVER;
    if (now >= total_due(deadline)) {
        deadline->on_expired(deadline, DEADLINE_TOTAL);
    } else if (now >= phase_due(deadline)) {
        deadline->on_expired(deadline, deadline->phase);
    } else if (now >= deadline->wake_at_ms) {
        deadline->wake_at_ms = NEVER;
        arm(deadline);
        deadline->on_wake(deadline);
    } else {
        arm(deadline);
    }
}

void deadline_init(struct deadline *deadline, uv_loop_t *loop)
{
    *deadline = (struct deadline){ .wake_at_ms = NEVER, .armed_ms = NEVER };
    uv_timer_init(loop, &deadline->timer);
    deadline->timer.data = deadline;
}

void deadline_begin(struct deadline *deadline, const struct deadline_limits *limits)
{
    deadline->limits = *limits;
    deadline->total_at_ms = uv_now(deadline->timer.loop);
    deadline->wake_at_ms = NEVER;
    deadline_enter(deadline, DEADLINE_CONNECT);
}

void deadline_enter(struct deadline *deadline, enum deadline_kind phase)
{
    deadline->phase = phase;
    deadline->phase_at_ms = uv_now(deadline->timer.loop);
    arm(deadline);
}

void deadline_progress(struct deadline *deadline)
{
    deadline->phase_at_ms = uv_now(deadline->timer.loop);
}

void deadline_wake(struct deadline *deadline, uint64_t after_ms)
{
    deadline->wake_at_ms = uv_now(deadline->timer.loop) + after_ms;
    arm(deadline);
}

/* The timer may still fire, and finds nothing due then; the next request likely needs it anyway. */
void deadline_end(struct deadline *deadline)
{
    deadline->limits = (struct deadline_limits){ 0, 0, 0, 0 };
    deadline->phase = DEADLINE_NONE;
    deadline->wake_at_ms = NEVER;
}
