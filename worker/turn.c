/* A list of tasks run in libuv's check phase. */
#include "turn.h"

static void on_uv_idle(uv_idle_t *idle)
{
    (void)idle;   /* its being active is what matters */
}

/* Those queued meanwhile have their turn in the next one, so that no task starves the others. */
static void on_uv_check(uv_check_t *check)
{
    struct turn *turn = check->data;
    struct turn_task *task = turn->tasks;
    turn->tasks = NULL;
    while (task) {
        struct turn_task *next = task->next;
        task->queued = false;
        task->run(task);
        task = next;
    }
    if (!turn->tasks)
        uv_idle_stop(&turn->idle);
}

void turn_init(struct turn *turn, uv_loop_t *loop)
{
    turn->tasks = NULL;
    uv_check_init(loop, &turn->check);
    uv_idle_init(loop, &turn->idle);
    turn->check.data = turn;
    uv_check_start(&turn->check, on_uv_check);
}

void turn_add(struct turn *turn, struct turn_task *task)
{
    if (task->queued)
        return;
    if (!turn->tasks)
        uv_idle_start(&turn->idle, on_uv_idle);
    task->queued = true;
    task->next = turn->tasks;
    turn->tasks = task;
}

void turn_forget(struct turn *turn, struct turn_task *task)
{
    struct turn_task **link = &turn->tasks;
    while (*link && *link != task)
        link = &(*link)->next;
    if (*link)
        *link = task->next;
    task->queued = false;
}
