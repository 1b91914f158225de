/* A queue of items in one buffer. */
#include "inbox.h"

#include <assert.h>
#include <string.h>

void inbox_init(struct inbox *inbox)
{
    *inbox = (struct inbox){ .open = false };
    ipc_buffer_init(&inbox->bytes, UINT32_MAX);   /* its user stops reading long before */
}

void inbox_finish(struct inbox *inbox)
{
    ipc_buffer_finish(&inbox->bytes);
    inbox_init(inbox);
}

bool inbox_empty(const struct inbox *inbox)
{
    return ipc_buffer_length(&inbox->bytes) == 0;
}

size_t inbox_bytes(const struct inbox *inbox)
{
    return ipc_buffer_length(&inbox->bytes);
}

static bool append(struct inbox *inbox, const struct inbox_head *head, struct ipc_bytes payload)
{
    uint8_t *place = ipc_buffer_reserve(&inbox->bytes, sizeof *head + payload.length);
    if (!place)
        return false;
    memcpy(place, head, sizeof *head);
    if (payload.length > 0)
        memcpy(place + sizeof *head, payload.data, payload.length);
    ipc_buffer_commit(&inbox->bytes, sizeof *head + payload.length);
    return true;
}

bool inbox_grow(struct inbox *inbox, unsigned kind, struct ipc_bytes payload)
{
    struct inbox_head head = { .kind = (uint8_t)kind };
    if (inbox->open && ipc_buffer_append(&inbox->bytes, payload.data, payload.length) < 0)
        return false;
    if (!inbox->open && !append(inbox, &head, payload))
        return false;
    inbox->open_length = inbox->open ? inbox->open_length + payload.length : payload.length;
    inbox->open = true;
    return true;
}

static uint8_t *open_head(const struct inbox *inbox)
{
    return ipc_buffer_data(&inbox->bytes) + ipc_buffer_length(&inbox->bytes) - inbox->open_length
        - sizeof(struct inbox_head);
}

void inbox_seal(struct inbox *inbox, bool more)
{
    struct inbox_head head;
    assert(inbox->open);
    memcpy(&head, open_head(inbox), sizeof head);
    head.length = (uint32_t)inbox->open_length;
    head.more = more;
    memcpy(open_head(inbox), &head, sizeof head);
    inbox->open = false;
}

bool inbox_add(struct inbox *inbox, const struct ipc_message *message)
{
    struct inbox_head head = { (uint32_t)message->data.length, (uint16_t)message->code,
                               (uint8_t)message->kind, message->more };
    assert(!inbox->open);
    return append(inbox, &head, message->data);
}

void inbox_drop_open(struct inbox *inbox)
{
    if (!inbox->open)
        return;
    ipc_buffer_truncate(&inbox->bytes,
                        ipc_buffer_length(&inbox->bytes) - inbox->open_length - sizeof(struct inbox_head));
    inbox->open = false;
}

static bool only_open(const struct inbox *inbox)
{
    return inbox->open && ipc_buffer_length(&inbox->bytes) == inbox->open_length + sizeof(struct inbox_head);
}

bool inbox_first(const struct inbox *inbox, struct ipc_message *ret_message)
{
    struct inbox_head head;
    if (inbox_empty(inbox) || only_open(inbox))
        return false;
    memcpy(&head, ipc_buffer_data(&inbox->bytes), sizeof head);
    *ret_message = (struct ipc_message){
        .kind = head.kind, .more = head.more, .code = head.code,
        .data = { ipc_buffer_data(&inbox->bytes) + sizeof head, head.length },
    };
    return true;
}

void inbox_take(struct inbox *inbox, size_t bytes)
{
    struct inbox_head head;
    memcpy(&head, ipc_buffer_data(&inbox->bytes), sizeof head);
    if (bytes == head.length) {
        ipc_buffer_consume(&inbox->bytes, sizeof head + bytes);
        return;
    }
    head.length -= (uint32_t)bytes;
    ipc_buffer_consume(&inbox->bytes, bytes);
    memcpy(ipc_buffer_data(&inbox->bytes), &head, sizeof head);
}
