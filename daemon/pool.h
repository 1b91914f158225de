/* Which worker takes a request: consistent hashing of the origin, so that connections stay warm,
 * with bounded loads, so that one hot origin spreads (Mirrokni, Thorup, Zadimoghaddam 2016).
 * Pure decisions: no processes, no libuv, no clock. */
#ifndef DAEMON_POOL_H
#define DAEMON_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_POINTS 64         /* on the ring, for each worker */
#define POOL_EPSILON_PERCENT 25

struct pool_point { uint64_t hash; unsigned worker; };

struct pool {
    unsigned size;
    struct pool_point *ring;   /* sorted by hash */
    struct pool_seat { bool ready; unsigned load; } *seats;
    unsigned ready, load;      /* sums over the ready seats */
};

int pool_init(struct pool *pool, unsigned workers);   /* 0, or -1 without memory */
void pool_finish(struct pool *pool);

/* A worker comes or goes. Its load is kept apart while it is not ready. */
void pool_set_ready(struct pool *pool, unsigned worker, bool ready);

/* The worker for an origin: the first ready one on the ring from the origin's hash that has room
 * and whose load stays within (1 + epsilon) of the mean with this request; -1 when there is none, for
 * whatever origin: ask again when a load or room changes. Does not count the request. `has_room` may
 * be NULL. */
int pool_place(const struct pool *pool, const char *origin, bool (*has_room)(const void *context, unsigned worker),
               const void *context);

void pool_add(struct pool *pool, unsigned worker);
void pool_remove(struct pool *pool, unsigned worker);

/* What no ready worker's load may exceed with one request more. */
unsigned pool_bound(const struct pool *pool);

#endif
