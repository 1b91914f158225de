/* Who is asked next when an origin may have so many requests at once: a lane for each origin, first
 * come first served within it, turn by turn between them. */
#ifndef FETCHCTL_LANES_H
#define FETCHCTL_LANES_H

#include "entry.h"

struct lanes {
    size_t limit; /* at once in a lane; 0: no limit, and one lane for all */
    size_t waiting;
    struct lane *by_origin;
    struct lane *first, *last; /* those with somebody waiting and room */
};

/* Waits in the lane of its origin. */
void lanes_add(struct lanes *lanes, struct entry *entry);

/* The next to be asked, which counts as asked; NULL when nobody waits, or all who do wait for room.
 */
struct entry *lanes_next(struct lanes *lanes);

/* One that was asked is done. */
void lanes_end(struct lanes *lanes, struct entry *entry);

/* Any that waits, whatever room there is; NULL for none. */
struct entry *lanes_take(struct lanes *lanes);

void lanes_finish(struct lanes *lanes);

#endif
