/* What a WebSocket received and the client has no credit for yet: messages and pieces of them, in
 * order, and the beginning of one that is held until it is whole. Pure. */
#ifndef WORKER_INBOX_H
#define WORKER_INBOX_H

#include "ipc/buffer.h"
#include "ipc/message.h"

struct inbox {
    struct ipc_buffer bytes;     /* each item: struct inbox_head, then its payload */
    size_t open_length;          /* payload of the last item, while it grows */
    bool open;
};

struct inbox_head {
    uint32_t length;
    uint16_t code;
    uint8_t kind;
    bool more;                   /* the message goes on in the next item */
};

void inbox_init(struct inbox *inbox);
void inbox_finish(struct inbox *inbox);

bool inbox_empty(const struct inbox *inbox);
size_t inbox_bytes(const struct inbox *inbox);   /* what it costs */

/* Adds to the message that grows, or begins one; with `more` false or when it is to go on in another
 * item, inbox_seal() ends it. False without memory. */
bool inbox_grow(struct inbox *inbox, unsigned kind, struct ipc_bytes payload);
void inbox_seal(struct inbox *inbox, bool more);

/* A whole item; none may be growing. False without memory. */
bool inbox_add(struct inbox *inbox, const struct ipc_message *message);

/* Forgets the one that grows: its message will never be whole. */
void inbox_drop_open(struct inbox *inbox);

/* The first item that does not grow. False when there is none. Borrowed. */
bool inbox_first(const struct inbox *inbox, struct ipc_message *ret_message);

/* Drops bytes of the first item's payload, or with all of them the item. */
void inbox_take(struct inbox *inbox, size_t bytes);

#endif
