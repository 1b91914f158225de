/* Frames in, frames out; what is sent in one turn of the loop leaves with one write. */
#include "channel.h"

#include "channel_platform.h"
#include "pack.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the hub ---- */

/* What was read before the pause comes first. */
static void resume(struct ipc_channel *channel)
{
    channel->resumed = false;
    if (channel->reading)
        ipc_channel_received_in_place(channel, 0);
}

static void on_uv_prepare(uv_prepare_t *prepare)
{
    struct ipc_hub *hub = prepare->data;
    while (hub->dirty) {
        struct ipc_channel *channel = hub->dirty;
        hub->dirty = channel->next_dirty;
        channel->dirty = false;
        if (channel->open && channel->broken)
            ipc_channel_ended(channel, channel->broken, "writing failed");
        if (channel->open && channel->resumed)
            resume(channel);
        if (channel->open)
            ipc_channel_flush(channel);
    }
}

int ipc_hub_init(struct ipc_hub *hub, uv_loop_t *loop)
{
    *hub = (struct ipc_hub){ .loop = loop, .scratch = malloc(IPC_SCRATCH_BYTES) };
    if (!hub->scratch)
        return UV_ENOMEM;
    uv_prepare_init(loop, &hub->prepare);
    hub->prepare.data = hub;
    uv_prepare_start(&hub->prepare, on_uv_prepare);
    uv_unref((uv_handle_t *)&hub->prepare);
    return 0;
}

void ipc_hub_close(struct ipc_hub *hub)
{
    uv_close((uv_handle_t *)&hub->prepare, NULL);
}

void ipc_hub_finish(struct ipc_hub *hub)
{
    free(hub->scratch);
    hub->scratch = NULL;
    ipc_spare_finish(&hub->spare);
}

static void mark_dirty(struct ipc_channel *channel)
{
    if (channel->dirty)
        return;
    channel->dirty = true;
    channel->next_dirty = channel->hub->dirty;
    channel->hub->dirty = channel;
}

static void forget_dirty(struct ipc_channel *channel)
{
    struct ipc_channel **link = &channel->hub->dirty;
    while (*link && *link != channel)
        link = &(*link)->next_dirty;
    if (*link)
        *link = channel->next_dirty;
    channel->dirty = false;
}

/* ---- life ---- */

int ipc_channel_open(struct ipc_channel *channel, struct ipc_hub *hub, int fd, enum ipc_speaker speaker,
                     size_t limit_bytes, const struct ipc_channel_calls *calls, void *owner)
{
    memset(channel, 0, sizeof *channel);
    channel->hub = hub;
    channel->calls = calls;
    channel->owner = owner;
    channel->speaker = speaker;
    channel->reading = true;
    ipc_buffer_init(&channel->in, IPC_FRAME_BYTES + IPC_FRAME_PREFIX + IPC_SCRATCH_BYTES);
    ipc_buffer_init(&channel->out, limit_bytes);
    channel->out.spare = &hub->spare;
    int status = ipc_channel_platform_open(channel, fd);
    channel->open = status == 0;
    return status;
}

void ipc_channel_close(struct ipc_channel *channel)
{
    if (!channel->open)
        return;
    if (!channel->ended)
        ipc_channel_platform_write(channel);
    channel->open = false;
    if (channel->dirty)
        forget_dirty(channel);
    ipc_channel_platform_close(channel);
}

void ipc_channel_closed(struct ipc_channel *channel)
{
    ipc_buffer_finish(&channel->in);
    ipc_buffer_finish(&channel->out);
    if (channel->calls->on_closed)
        channel->calls->on_closed(channel);
}

void ipc_channel_ended(struct ipc_channel *channel, int status, const char *reason)
{
    if (channel->ended || !channel->open)
        return;
    channel->ended = true;
    channel->reading = channel->wants_write = false;
    ipc_channel_platform_listen(channel);
    channel->calls->on_end(channel, status, reason);
}

void ipc_channel_broke(struct ipc_channel *channel, int status)
{
    channel->broken = status;
    mark_dirty(channel);
}

/* ---- in ---- */

/* Delivers the whole frames at the front of `bytes`, up to one that makes its reader pause; returns how many
 * bytes they took. */
static size_t deliver(struct ipc_channel *channel, const uint8_t *bytes, size_t length)
{
    size_t used = 0;
    while (channel->open && channel->reading) {
        struct ipc_frame frame;
        enum ipc_frame_result result = ipc_frame_read(bytes + used, length - used, &frame, NULL);
        if (result == IPC_FRAME_PARTIAL)
            break;
        if (result != IPC_FRAME_OK) {
            ipc_channel_ended(channel, UV_EPROTO, ipc_frame_result_text(result));
            break;
        }
        used += frame.whole_length;
        channel->calls->on_frame(channel, &frame);
    }
    return used;
}

void ipc_channel_received(struct ipc_channel *channel, const uint8_t *bytes, size_t length)
{
    size_t used = deliver(channel, bytes, length);
    if (!channel->open || channel->ended || used == length)
        return;
    if (ipc_buffer_append(&channel->in, bytes + used, length - used) < 0)
        ipc_channel_ended(channel, UV_ENOMEM, "no memory for a frame");
}

void ipc_channel_received_in_place(struct ipc_channel *channel, size_t length)
{
    ipc_buffer_commit(&channel->in, length);
    size_t used = deliver(channel, ipc_buffer_data(&channel->in), ipc_buffer_length(&channel->in));
    ipc_buffer_consume(&channel->in, used);
}

void ipc_channel_received_more(struct ipc_channel *channel, const uint8_t *bytes, size_t length)
{
    if (!channel->open || channel->ended)
        return;
    if (ipc_buffer_length(&channel->in) == 0)
        ipc_channel_received(channel, bytes, length);
    else if (ipc_buffer_append(&channel->in, bytes, length) < 0)
        ipc_channel_ended(channel, UV_ENOMEM, "no memory for a frame");
    else
        ipc_channel_received_in_place(channel, 0);
}

size_t ipc_channel_wanted(const struct ipc_channel *channel)
{
    struct ipc_frame frame;
    size_t missing = 0;
    ipc_frame_read(ipc_buffer_data(&channel->in), ipc_buffer_length(&channel->in), &frame, &missing);
    return missing < IPC_SCRATCH_BYTES ? missing : IPC_SCRATCH_BYTES;
}

void ipc_channel_pause(struct ipc_channel *channel, bool paused)
{
    if (channel->reading != paused || channel->ended || !channel->open)
        return;
    channel->reading = !paused;
    channel->resumed = !paused;
    if (channel->resumed)
        mark_dirty(channel);
    ipc_channel_platform_listen(channel);
}

int ipc_channel_take_descriptor(struct ipc_channel *channel)
{
    if (channel->descriptor_count == 0)
        return -1;
    int fd = channel->descriptors[0];
    channel->descriptor_count--;
    memmove(channel->descriptors, channel->descriptors + 1, channel->descriptor_count * sizeof(int));
    return fd;
}

/* ---- out ---- */

static int queued(struct ipc_channel *channel, int result)
{
    if (result == 0)
        mark_dirty(channel);
    return result;
}

int ipc_channel_send(struct ipc_channel *channel, unsigned number, uint32_t id, const void *message)
{
    if (!channel->open || channel->ended)
        return 0;
    return queued(channel, ipc_pack(&channel->out, channel->speaker, number, id, message));
}

int ipc_channel_send_data(struct ipc_channel *channel, uint32_t id, const void *data, size_t bytes)
{
    if (!channel->open || channel->ended)
        return 0;
    return queued(channel, ipc_pack_data(&channel->out, id, data, bytes));
}

int ipc_channel_send_body(struct ipc_channel *channel, unsigned number, uint32_t id, const uint8_t *body,
                          size_t body_length)
{
    if (!channel->open || channel->ended)
        return 0;
    return queued(channel, ipc_pack_body(&channel->out, number, id, body, body_length));
}

int ipc_channel_send_descriptor(struct ipc_channel *channel, unsigned number, uint32_t id, const void *message,
                                int fd)
{
    if (!channel->open || channel->ended) {
        close(fd);
        return 0;
    }
    if (ipc_channel_platform_attach(channel, fd) < 0) {
        close(fd);
        return -1;
    }
    return ipc_channel_send(channel, number, id, message);
}

size_t ipc_channel_unsent(const struct ipc_channel *channel)
{
    return ipc_buffer_length(&channel->out);
}

bool ipc_channel_flush(struct ipc_channel *channel)
{
    size_t before = ipc_channel_unsent(channel);
    ipc_channel_platform_write(channel);
    size_t unsent = ipc_channel_unsent(channel);
    channel->wants_write = unsent > 0;
    ipc_channel_platform_listen(channel);
    if (unsent < before && channel->calls->on_sent)
        channel->calls->on_sent(channel, unsent);
    return unsent == 0;
}

bool ipc_channel_flush_within(struct ipc_channel *channel, int timeout_ms)
{
    const int tries = 100;
    for (int i = 0; i < tries; i++) {
        if (ipc_channel_flush(channel))
            return true;
        ipc_channel_platform_wait(channel, timeout_ms / tries);
    }
    return ipc_channel_flush(channel);
}
