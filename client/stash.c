/* Frames kept for later. */
#include "stash.h"

#include <stdlib.h>
#include <string.h>

struct stash_item *stash_put(struct stash *stash, const struct ipc_frame *frame)
{
    struct stash_item *item = malloc(sizeof *item + frame->whole_length);
    if (!item)
        return NULL;
    memcpy(item->bytes, frame->whole, frame->whole_length);
    item->next = NULL;
    item->taken_bytes = 0;
    item->frame = *frame;
    item->frame.whole = item->bytes;
    item->frame.body = item->bytes + (frame->body - frame->whole);
    if (stash->last)
        stash->last->next = item;
    else
        stash->first = item;
    stash->last = item;
    stash->bytes += frame->whole_length;
    return item;
}

struct stash_item *stash_take(struct stash *stash)
{
    struct stash_item *item = stash->first;
    stash->first = item->next;
    if (!stash->first)
        stash->last = NULL;
    stash->bytes -= item->frame.whole_length;
    return item;
}

void stash_finish(struct stash *stash)
{
    while (stash->first)
        free(stash_take(stash));
}
