/* Deficit round robin in two levels. */
#include "queue.h"

#include "request.h"

#include <utlist.h>

#define QUANTUM 4          /* units a flow may spend each time its turn comes */
#define UNIT_BYTES 4096

void queue_flow_init(struct queue_flow *flow, struct queue_flow *parent)
{
    *flow = (struct queue_flow){ .parent = parent };
}

static int64_t cost_of(const struct request *request)
{
    return 1 + (int64_t)(request->kept_length / UNIT_BYTES);
}

static void join(struct queue_flow **ring, struct queue_flow *flow)
{
    if (flow->waiting)
        return;
    flow->waiting = true;
    if (flow->deficit > 0)
        flow->deficit = 0;   /* turns can't be saved up; debts stay */
    DL_APPEND(*ring, flow);
}

static void leave(struct queue_flow **ring, struct queue_flow *flow)
{
    flow->waiting = false;
    DL_DELETE(*ring, flow);
}

/* The head of a ring that can pay: each that can't gets its quantum and goes to the end. */
static struct queue_flow *head_that_pays(struct queue_flow **ring)
{
    while ((*ring)->deficit <= 0) {
        struct queue_flow *flow = *ring;
        flow->deficit += QUANTUM;
        DL_DELETE(*ring, flow);
        DL_APPEND(*ring, flow);
    }
    return *ring;
}

void queue_push(struct queue *queue, struct queue_flow *connection, struct request *request, bool in_front)
{
    request->flow = connection;
    if (in_front)
        DL_PREPEND(connection->first, request);
    else
        DL_APPEND(connection->first, request);
    queue->length++;
    join(&connection->parent->ring, connection);
    join(&queue->ring, connection->parent);
}

struct request *queue_next(struct queue *queue)
{
    if (!queue->ring)
        return NULL;
    struct queue_flow *principal = head_that_pays(&queue->ring);
    return head_that_pays(&principal->ring)->first;
}

void queue_remove(struct queue *queue, struct request *request, bool served)
{
    struct queue_flow *connection = request->flow, *principal = connection->parent;
    if (served) {
        connection->deficit -= cost_of(request);
        principal->deficit -= cost_of(request);
    }
    DL_DELETE(connection->first, request);
    request->flow = NULL;
    queue->length--;
    if (!connection->first)
        leave(&principal->ring, connection);
    if (!principal->ring)
        leave(&queue->ring, principal);
}
