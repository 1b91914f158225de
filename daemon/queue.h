/* Requests that wait for a worker: deficit round robin over principals and, within one, over client
 * connections (Shreedhar, Varghese 1995). A request costs one unit and one for each 4 KiB it brings,
 * so that nobody gains by more connections than others or by larger requests. Pure: no clock, no
 * libuv. */
#ifndef DAEMON_QUEUE_H
#define DAEMON_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request;

/* One connection's, or one principal's, place in the round. Embedded in its owner. */
struct queue_flow {
    struct queue_flow *prev, *next;       /* in the ring it waits in */
    struct queue_flow *parent;            /* NULL for a principal's */
    struct queue_flow *ring;              /* of a principal: its connections; the head's turn is next */
    struct request *first;                /* of a connection: its requests in order */
    int64_t deficit;
    bool waiting;                         /* it is in a ring */
};

struct queue {
    struct queue_flow *ring;              /* principals */
    unsigned length;
};

void queue_flow_init(struct queue_flow *flow, struct queue_flow *parent);

/* At the end of its connection's line, or at its front: a request that comes back. */
void queue_push(struct queue *queue, struct queue_flow *connection, struct request *request, bool in_front);

/* The request whose turn it is, left where it is; NULL when nothing waits. */
struct request *queue_next(struct queue *queue);

/* Takes a request out. `served` charges its connection and principal for it. */
void queue_remove(struct queue *queue, struct request *request, bool served);

#endif
