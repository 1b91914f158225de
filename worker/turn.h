/* What is to be done once more in this turn of the loop, after its I/O, or in the next one: without
 * a timer, which would round "now" up to a millisecond, and outside of whatever is running now. */
#ifndef WORKER_TURN_H
#define WORKER_TURN_H

#include <stdbool.h>
#include <uv.h>

struct turn_task {
    void (*run)(struct turn_task *task);
    struct turn_task *next;
    bool queued;
};

struct turn {
    uv_check_t check;
    uv_idle_t idle;             /* active while a task waits, so that the loop doesn't sleep */
    struct turn_task *tasks;
};

void turn_init(struct turn *turn, uv_loop_t *loop);

/* Queues a task that is not queued yet. What is queued while tasks run waits for the next turn. */
void turn_add(struct turn *turn, struct turn_task *task);
void turn_forget(struct turn *turn, struct turn_task *task);

#endif
