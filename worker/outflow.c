/* The shared way out, first come, first served. */
#include "outflow.h"

#include "ipc/credit.h"

/* The end of a window is not spent in crumbs. */
#define LEAST_CREDIT (4096 + IPC_FRAME_CHARGE)

bool outflow_blocked(const struct outflow *outflow)
{
    return outflow->credit < LEAST_CREDIT || ipc_channel_unsent(outflow->channel) >= OUTFLOW_FULL_BYTES;
}

/* In order. Who comes back to the queue does so because it is blocked, so this ends. */
static void wake(struct turn_task *task)
{
    struct outflow *outflow = (struct outflow *)task;
    while (outflow->first && !outflow_blocked(outflow)) {
        struct outflow_waiter *waiter = outflow->first;
        outflow_forget(outflow, waiter);
        waiter->on_room(waiter);
    }
}

void outflow_init(struct outflow *outflow, struct turn *turn, struct ipc_channel *channel,
                  int64_t credit)
{
    *outflow = (struct outflow){ .task.run = wake, .turn = turn, .channel = channel, .credit = credit };
    outflow->last = &outflow->first;
}

size_t outflow_room(const struct outflow *outflow, int64_t stream_credit)
{
    if (outflow_blocked(outflow))
        return 0;
    return ipc_credit_payload(stream_credit < outflow->credit ? stream_credit : outflow->credit);
}

int outflow_send(struct outflow *outflow, int64_t *stream_credit, uint32_t id, const void *data,
                 size_t bytes)
{
    outflow->credit -= ipc_credit_cost(bytes);
    *stream_credit -= ipc_credit_cost(bytes);
    return ipc_channel_send_data(outflow->channel, id, data, bytes);
}

int outflow_send_message(struct outflow *outflow, int64_t *stream_credit, uint32_t id,
                         const struct ipc_message *message)
{
    outflow->credit -= ipc_credit_cost(message->data.length);
    *stream_credit -= ipc_credit_cost(message->data.length);
    return ipc_channel_send(outflow->channel, IPC_MESSAGE, id, message);
}

static void maybe_wake(struct outflow *outflow)
{
    if (outflow->first && !outflow_blocked(outflow))
        turn_add(outflow->turn, &outflow->task);
}

bool outflow_grant(struct outflow *outflow, uint64_t bytes)
{
    if (!ipc_credit_add(&outflow->credit, bytes))
        return false;
    maybe_wake(outflow);
    return true;
}

void outflow_sent(struct outflow *outflow, size_t unsent)
{
    if (unsent <= OUTFLOW_LOW_BYTES)
        maybe_wake(outflow);
}

void outflow_wait(struct outflow *outflow, struct outflow_waiter *waiter)
{
    if (waiter->waiting)
        return;
    waiter->waiting = true;
    waiter->next = NULL;
    *outflow->last = waiter;
    outflow->last = &waiter->next;
}

void outflow_forget(struct outflow *outflow, struct outflow_waiter *waiter)
{
    if (!waiter->waiting)
        return;
    struct outflow_waiter **link = &outflow->first;
    while (*link != waiter)
        link = &(*link)->next;
    *link = waiter->next;
    if (outflow->last == &waiter->next)
        outflow->last = link;
    waiter->waiting = false;
}
