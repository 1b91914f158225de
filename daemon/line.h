/* The requests that wait at one origin until its limits let the next one leave: in the queue's fair order,
 * by principal and then by connection, or one that floods would keep all others out. Pure: no clock, no
 * libuv. */
#ifndef DAEMON_LINE_H
#define DAEMON_LINE_H

#include "queue.h"

#include <stdbool.h>
#include <stdint.h>

struct line_place;

struct line {
    struct queue queue;
    struct line_place *places;    /* of principals and connections, as long as one of theirs waits */
};

/* `principal` and `connection` are any numbers, from 1. In front: one that stood here before. */
void line_push(struct line *line, struct request *request, uint32_t principal, uint32_t connection, bool in_front);

/* The one whose turn it is; NULL when nobody waits. */
struct request *line_first(struct line *line);
bool line_is_empty(const struct line *line);

/* `served`: it is its turn, and its principal and connection are charged for it. */
void line_remove(struct line *line, struct request *request, bool served);

#endif
