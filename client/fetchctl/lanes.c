/* Lanes and their turns. */
#include "lanes.h"

#include "memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct lane {
    UT_hash_handle hh;
    size_t active;
    struct entry *first, *last;
    struct lane *next; /* whose turn comes after this one's */
    bool has_turn;
    char origin[];
};

/* "https://example.com:443" without user and password. A URL that is none has a lane as well. */
static char *origin_of(const char *url)
{
    const char *start = strstr(url, "://");
    size_t length = start ? (size_t)(start + 3 - url) + strcspn(start + 3, "/?#") : strlen(url);
    const char *at = memrchr(url, '@', length);
    char *origin = at && start ? must_print("%.*s%.*s", (int)(start + 3 - url), url,
                                            (int)(url + length - at - 1), at + 1)
                               : must_copy_bytes(url, length);
    for (char *c = origin; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return origin;
}

static struct lane *find_lane(struct lanes *lanes, const char *url)
{
    char *origin = lanes->limit > 0 ? origin_of(url) : must_copy("");
    size_t length = strlen(origin);
    struct lane *lane;
    HASH_FIND(hh, lanes->by_origin, origin, length, lane);
    if (!lane) {
        lane = must_allocate(1, sizeof *lane + length + 1);
        memcpy(lane->origin, origin, length + 1);
        HASH_ADD_KEYPTR(hh, lanes->by_origin, lane->origin, length, lane);
    }
    free(origin);
    return lane;
}

/* To the end of the turns, if it has somebody and room. */
static void give_turn(struct lanes *lanes, struct lane *lane)
{
    if (lane->has_turn || !lane->first || (lanes->limit > 0 && lane->active >= lanes->limit))
        return;
    lane->has_turn = true;
    lane->next = NULL;
    if (lanes->last)
        lanes->last->next = lane;
    else
        lanes->first = lane;
    lanes->last = lane;
}

void lanes_add(struct lanes *lanes, struct entry *entry)
{
    struct lane *lane = find_lane(lanes, entry->url);
    entry->lane = lane;
    entry->next = NULL;
    if (lane->last)
        lane->last->next = entry;
    else
        lane->first = entry;
    lane->last = entry;
    lanes->waiting++;
    give_turn(lanes, lane);
}

static struct entry *take_first(struct lanes *lanes, struct lane *lane)
{
    struct entry *entry = lane->first;
    lane->first = entry->next;
    if (!lane->first)
        lane->last = NULL;
    lanes->waiting--;
    return entry;
}

struct entry *lanes_next(struct lanes *lanes)
{
    struct lane *lane = lanes->first;
    if (!lane)
        return NULL;
    lanes->first = lane->next;
    if (!lanes->first)
        lanes->last = NULL;
    lane->has_turn = false;
    lane->active++;
    struct entry *entry = take_first(lanes, lane);
    give_turn(lanes, lane);
    return entry;
}

static void remove_lane(struct lanes *lanes, struct lane *lane)
{
    HASH_DEL(lanes->by_origin, lane);
    free(lane);
}

void lanes_end(struct lanes *lanes, struct entry *entry)
{
    struct lane *lane = entry->lane;
    lane->active--;
    give_turn(lanes, lane);
    if (lane->active == 0 && !lane->first)
        remove_lane(lanes, lane); /* a list may have a million origins */
}

struct entry *lanes_take(struct lanes *lanes)
{
    struct lane *lane, *next;
    HASH_ITER(hh, lanes->by_origin, lane, next)
    if (lane->first)
        return take_first(lanes, lane);
    return NULL;
}

void lanes_finish(struct lanes *lanes)
{
    struct lane *lane, *next;
    HASH_ITER(hh, lanes->by_origin, lane, next)
    remove_lane(lanes, lane);
}
