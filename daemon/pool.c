/* Consistent hashing with bounded loads. */
#include "pool.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a with a final mix: the ring needs spread, not secrecy; a client that aims its origins at
 * one worker meets the load bound. */
static uint64_t hash_bytes(const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ at[i]) * 0x100000001b3u;
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93u;
    return hash ^ hash >> 32;
}

static int compare_points(const void *left, const void *right)
{
    const struct pool_point *a = left, *b = right;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return (a->worker > b->worker) - (a->worker < b->worker);
}

int pool_init(struct pool *pool, unsigned workers)
{
    size_t points = (size_t)workers * POOL_POINTS;
    *pool = (struct pool){ .size = workers, .ring = calloc(points, sizeof *pool->ring),
                           .seats = calloc(workers, sizeof *pool->seats) };
    if (!pool->ring || !pool->seats) {
        pool_finish(pool);
        return -1;
    }
    for (size_t i = 0; i < points; i++) {
        uint32_t name[2] = { (uint32_t)(i / POOL_POINTS), (uint32_t)(i % POOL_POINTS) };
        pool->ring[i] = (struct pool_point){ hash_bytes(name, sizeof name), name[0] };
    }
    qsort(pool->ring, points, sizeof *pool->ring, compare_points);
    return 0;
}

void pool_finish(struct pool *pool)
{
    free(pool->ring);
    free(pool->seats);
    *pool = (struct pool){ 0 };
}

void pool_set_ready(struct pool *pool, unsigned worker, bool ready)
{
    struct pool_seat *seat = &pool->seats[worker];
    if (seat->ready == ready)
        return;
    seat->ready = ready;
    pool->ready += ready ? 1u : -1u;
    pool->load += ready ? seat->load : -seat->load;
}

unsigned pool_bound(const struct pool *pool)
{
    if (pool->ready == 0)
        return 0;
    uint64_t scaled = (uint64_t)(pool->load + 1) * (100 + POOL_EPSILON_PERCENT);
    uint64_t share = (uint64_t)pool->ready * 100;
    return (unsigned)((scaled + share - 1) / share);
}

static size_t first_point(const struct pool *pool, uint64_t hash)
{
    size_t low = 0, high = (size_t)pool->size * POOL_POINTS;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pool->ring[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int pool_place(const struct pool *pool, const char *origin, bool (*has_room)(const void *context, unsigned worker),
               const void *context)
{
    size_t points = (size_t)pool->size * POOL_POINTS, start = first_point(pool, hash_bytes(origin, strlen(origin)));
    unsigned bound = pool_bound(pool);
    for (size_t i = 0; i < points && pool->ready > 0; i++) {
        unsigned worker = pool->ring[(start + i) % points].worker;
        const struct pool_seat *seat = &pool->seats[worker];
        if (seat->ready && seat->load < bound && (!has_room || has_room(context, worker)))
            return (int)worker;
    }
    return -1;
}

static void change_load(struct pool *pool, unsigned worker, unsigned by)
{
    pool->seats[worker].load += by;
    if (pool->seats[worker].ready)
        pool->load += by;
}

void pool_add(struct pool *pool, unsigned worker)
{
    change_load(pool, worker, 1);
}

void pool_remove(struct pool *pool, unsigned worker)
{
    change_load(pool, worker, -1u);
}
