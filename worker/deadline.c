/* One lazy timer for all the times of a request. */
#include "deadline.h"

#define NEVER UINT64_MAX

static uint64_t earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t due(uint64_t since_ms, uint64_t limit_ms)
{
    return limit_ms ? since_ms + limit_ms : NEVER;
}

static uint64_t phase_due(const struct deadline *deadline)
{
    const struct deadline_limits *limits = &deadline->limits;
    switch (deadline->phase) {
    case DEADLINE_CONNECT: return due(deadline->phase_at_ms, limits->connect_ms);
    case DEADLINE_TLS:
        return earliest(due(deadline->phase_at_ms, limits->tls_ms),
                        due(deadline->connect_at_ms, limits->connect_ms));
    case DEADLINE_HEADERS: return due(deadline->phase_at_ms, limits->headers_ms);
    case DEADLINE_IDLE: return due(deadline->phase_at_ms, limits->idle_ms);
    case DEADLINE_NONE: case DEADLINE_TOTAL: break;
    }
    return NEVER;
}

static uint64_t total_due(const struct deadline *deadline)
{
    return due(deadline->total_at_ms, deadline->limits.total_ms);
}

static void on_uv_timer(uv_timer_t *timer);

static void arm(struct deadline *deadline)
{
    uint64_t next = earliest(earliest(phase_due(deadline), total_due(deadline)), deadline->wake_at_ms);
    if (next >= deadline->armed_ms)
        return;
    uint64_t now = uv_now(deadline->timer.loop);
    deadline->armed_ms = next;
    uv_timer_start(&deadline->timer, on_uv_timer, next > now ? next - now : 0, 0);
}

enum deadline_kind deadline_over(const struct deadline *deadline)
{
    uint64_t now = uv_now(deadline->timer.loop);
    if (now >= total_due(deadline))
        return DEADLINE_TOTAL;
    return now >= phase_due(deadline) ? deadline->phase : DEADLINE_NONE;
}

static void on_uv_timer(uv_timer_t *timer)
{
    struct deadline *deadline = timer->data;
    uint64_t now = uv_now(timer->loop);
    enum deadline_kind over = deadline_over(deadline);
    deadline->armed_ms = NEVER;
    if (over != DEADLINE_NONE) {
        deadline->on_expired(deadline, over);
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
    if (phase == DEADLINE_CONNECT)
        deadline->connect_at_ms = deadline->phase_at_ms;
    arm(deadline);
}

void deadline_enter_tls(struct deadline *deadline)
{
    if (deadline->phase == DEADLINE_CONNECT || deadline->phase == DEADLINE_TLS)
        deadline_enter(deadline, DEADLINE_TLS);
}

void deadline_leave_tls(struct deadline *deadline)
{
    if (deadline->phase != DEADLINE_TLS)
        return;
    deadline->phase = DEADLINE_CONNECT;
    deadline->phase_at_ms = deadline->connect_at_ms;
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
    deadline->limits = (struct deadline_limits){ 0, 0, 0, 0, 0 };
    deadline->phase = DEADLINE_NONE;
    deadline->wake_at_ms = NEVER;
}
