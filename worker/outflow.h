/* What the worker may send to the daemon now: the connection's credit, and a channel that is not
 * full. Transfers that have bytes and no room wait here in a queue. */
#ifndef WORKER_OUTFLOW_H
#define WORKER_OUTFLOW_H

#include "ipc/channel.h"
#include "turn.h"

/* Above this much unsent, nothing more is put into the channel; below the other, it goes on. The
 * daemon is slow then, and what waits here would only cost memory. */
#define OUTFLOW_FULL_BYTES (512 * 1024)
#define OUTFLOW_LOW_BYTES (128 * 1024)

struct outflow_waiter {
    struct outflow_waiter *next;
    bool waiting;
    void (*on_room)(struct outflow_waiter *waiter);   /* off the queue already; may wait again */
};

struct outflow {
    struct turn_task task;
    struct turn *turn;
    struct ipc_channel *channel;
    int64_t credit;
    struct outflow_waiter *first, **last;
};

void outflow_init(struct outflow *outflow, struct turn *turn, struct ipc_channel *channel,
                  int64_t credit);

/* The largest DATA payload that a stream with this much credit may send now; 0 for none. */
size_t outflow_room(const struct outflow *outflow, int64_t stream_credit);

/* True when it is the connection, not the stream, that has no room. */
bool outflow_blocked(const struct outflow *outflow);

/* Sends DATA and charges both credits. 0, or -1 when the channel can't take it. */
int outflow_send(struct outflow *outflow, int64_t *stream_credit, uint32_t id, const void *data,
                 size_t bytes);

/* The same for a MESSAGE. */
int outflow_send_message(struct outflow *outflow, int64_t *stream_credit, uint32_t id,
                         const struct ipc_message *message);

/* More credit for the connection. False when it is more than may be. */
bool outflow_grant(struct outflow *outflow, uint64_t bytes);

/* Bytes left for the kernel. */
void outflow_sent(struct outflow *outflow, size_t unsent);

void outflow_wait(struct outflow *outflow, struct outflow_waiter *waiter);
void outflow_forget(struct outflow *outflow, struct outflow_waiter *waiter);

#endif
