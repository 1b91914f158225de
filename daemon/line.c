/* Who is next at an origin. */
#include "line.h"

#include "request.h"
#include "table.h"

#include <stdlib.h>

struct line_place {
    struct queue_flow flow;       /* first: a request's flow leads back here */
    uint64_t key;
    UT_hash_handle handle;
};

static struct line_place *take_place(struct line *line, uint32_t principal, uint32_t connection,
                                     struct queue_flow *parent)
{
    uint64_t key = (uint64_t)principal << 32 | connection;
    struct line_place *place;
    HASH_FIND(handle, line->places, &key, sizeof key, place);
    if (place)
        return place;
    place = reserve_alloc(sizeof *place);
    queue_flow_init(&place->flow, parent);
    place->key = key;
    HASH_ADD(handle, line->places, key, sizeof place->key, place);
    return place;
}

static void leave_place(struct line *line, struct queue_flow *flow)
{
    struct line_place *place = (struct line_place *)(void *)flow;
    HASH_DELETE(handle, line->places, place);
    free(place);
}

void line_push(struct line *line, struct request *request, uint32_t principal, uint32_t connection, bool in_front)
{
    struct line_place *whose = take_place(line, principal, 0, NULL);
    queue_push(&line->queue, &take_place(line, principal, connection, &whose->flow)->flow, request, in_front);
}

struct request *line_first(struct line *line)
{
    return queue_next(&line->queue);
}

bool line_is_empty(const struct line *line)
{
    return line->queue.length == 0;
}

void line_remove(struct line *line, struct request *request, bool served)
{
    struct queue_flow *connection = request->flow, *principal = connection->parent;
    queue_remove(&line->queue, request, served);
    if (!connection->first)
        leave_place(line, connection);
    if (!principal->ring)
        leave_place(line, principal);
}
