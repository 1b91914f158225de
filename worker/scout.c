/* Origins by name, and who waits to learn what they speak. */
#include "scout.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ORIGINS_MAX 1024   /* remembered in a partition */

struct scout_origin {
    struct scout_origin *next;
    struct scouts *owner;
    struct scout *first, **last;   /* those that wait */
    unsigned users;                /* scouts that point here */
    bool led, known, http2;        /* somebody is under way; what it found */
    char key[];
};

static unsigned bucket_of(const char *key)
{
    uint32_t hash = 2166136261u;
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 16777619u;
    return (hash ^ hash >> 16) % SCOUT_BUCKETS;
}

/* Knowledge is cheap to gain again; what is in use stays. */
static void forget_unused(struct scouts *scouts)
{
    for (unsigned i = 0; i < SCOUT_BUCKETS; i++) {
        struct scout_origin **link = &scouts->buckets[i];
        while (*link) {
            struct scout_origin *origin = *link;
            if (origin->users > 0) {
                link = &origin->next;
                continue;
            }
            *link = origin->next;
            free(origin);
            scouts->count--;
        }
    }
}

void scouts_finish(struct scouts *scouts)
{
    forget_unused(scouts);
}

static struct scout_origin *find(struct scouts *scouts, const char *key)
{
    unsigned bucket = bucket_of(key);
    for (struct scout_origin *origin = scouts->buckets[bucket]; origin; origin = origin->next)
        if (strcmp(origin->key, key) == 0)
            return origin;
    if (scouts->count >= ORIGINS_MAX)
        forget_unused(scouts);
    size_t length = strlen(key);
    struct scout_origin *origin = calloc(1, sizeof *origin + length + 1);
    if (!origin)
        return NULL;
    memcpy(origin->key, key, length + 1);
    origin->owner = scouts;
    origin->last = &origin->first;
    origin->next = scouts->buckets[bucket];
    scouts->buckets[bucket] = origin;
    scouts->count++;
    return origin;
}

enum scout_verdict scouts_ask(struct scouts *scouts, const char *origin_key, struct scout *scout)
{
    struct scout_origin *origin = find(scouts, origin_key);
    if (!origin)
        return SCOUT_GO;   /* without memory each goes by itself */
    scout->origin = origin;
    origin->users++;
    if (origin->known)
        return SCOUT_GO;
    if (!origin->led) {
        origin->led = scout->leads = true;
        return SCOUT_GO;
    }
    scout->waiting = true;
    scout->next = NULL;
    *origin->last = scout;
    origin->last = &scout->next;
    return SCOUT_WAIT;
}

bool scout_multiplexes(const struct scout *scout)
{
    return scout->origin && scout->origin->known && scout->origin->http2;
}

void scout_learn(struct scout *scout, bool http2)
{
    if (!scout->origin)
        return;
    scout->origin->known = true;
    scout->origin->http2 = http2;
}

/* All at once, also when nothing was learnt: one after the other would add up what each waits for. */
static void let_go(struct scout_origin *origin)
{
    origin->led = false;
    struct scout *scout = origin->first;
    origin->first = NULL;
    origin->last = &origin->first;
    while (scout) {
        struct scout *next = scout->next;
        scout->waiting = false;
        scout->on_go(scout);
        scout = next;
    }
}

static void stop_waiting(struct scout *scout)
{
    struct scout_origin *origin = scout->origin;
    struct scout **link = &origin->first;
    while (*link != scout)
        link = &(*link)->next;
    *link = scout->next;
    if (origin->last == &scout->next)
        origin->last = link;
    scout->waiting = false;
}

void scout_leave(struct scout *scout)
{
    struct scout_origin *origin = scout->origin;
    if (!origin)
        return;
    if (scout->waiting)
        stop_waiting(scout);
    if (scout->leads)
        let_go(origin);
    scout->leads = false;
    scout->origin = NULL;
    origin->users--;
}
