/* A channel, its loop and its owner. */
#include "channel_stage.h"

#include "far.h"
#include "ipc/pack.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uv_loop_t stage_loop;
struct ipc_hub stage_hub;
static uv_timer_t alive;           /* as in a daemon, something always keeps the loop turning */

static void on_frame(struct ipc_channel *channel, const struct ipc_frame *frame)
{
    struct owner *owner = channel->owner;
    owner->types[owner->frames++ % 64] = frame->type;
    owner->last_id = frame->id;
    owner->bytes += frame->body_length;
    free(owner->copy);
    owner->copy = malloc(frame->body_length);
    memcpy(owner->copy, frame->body, frame->body_length);
    owner->copy_length = frame->body_length;
    if (owner->frames == owner->close_after)
        ipc_channel_close(channel);
    if (owner->frames == owner->pause_after)
        ipc_channel_pause(channel, true);
}

static void on_end(struct ipc_channel *channel, int status, const char *reason)
{
    struct owner *owner = channel->owner;
    owner->ends++;
    owner->end_status = status;
    snprintf(owner->end_reason, sizeof owner->end_reason, "%s", reason);
}

static void on_sent(struct ipc_channel *channel, size_t unsent)
{
    struct owner *owner = channel->owner;
    owner->sents++;
    assert_int_equal(unsent, ipc_channel_unsent(channel));
}

static void on_closed(struct ipc_channel *channel)
{
    struct owner *owner = channel->owner;
    owner->closed++;
}

const struct ipc_channel_calls stage_calls = { on_frame, on_end, on_sent, on_closed };

void stage_open_over(struct owner *owner, int own, int other, size_t limit_bytes)
{
    memset(owner, 0, sizeof *owner);
    owner->other = other;
    int status = ipc_channel_open(&owner->channel, &stage_hub, own, IPC_DAEMON_TO_CLIENT, limit_bytes, &stage_calls, owner);
    assert_int_equal(status, 0);
}

void stage_open_owner(struct owner *owner, size_t limit_bytes)
{
    int own, other;
    assert_int_equal(far_pair(&own, &other), 0);
    stage_open_over(owner, own, other, limit_bytes);
}

static void on_uv_alive(uv_timer_t *timer)
{
    (void)timer;
}

void stage_begin(struct owner *owner, size_t limit_bytes)
{
    assert_int_equal(uv_loop_init(&stage_loop), 0);
    assert_int_equal(ipc_hub_init(&stage_hub, &stage_loop), 0);
    uv_timer_init(&stage_loop, &alive);
    uv_timer_start(&alive, on_uv_alive, 3600 * 1000, 0);
    stage_open_owner(owner, limit_bytes);
}

/* Turns of the loop that find nothing more to do. */
void stage_turn(void)
{
    for (int i = 0; i < 20; i++)
        uv_run(&stage_loop, UV_RUN_NOWAIT);
}

void stage_close_owner(struct owner *owner)
{
    ipc_channel_close(&owner->channel);
    if (owner->other >= 0)
        far_close(owner->other);
    while (!owner->closed)
        uv_run(&stage_loop, UV_RUN_ONCE);
    free(owner->copy);
}

void stage_end(struct owner *owner)
{
    stage_close_owner(owner);
    ipc_hub_close(&stage_hub);
    uv_close((uv_handle_t *)&alive, NULL);
    uv_run(&stage_loop, UV_RUN_DEFAULT);
    ipc_hub_finish(&stage_hub);
    assert_int_equal(uv_loop_close(&stage_loop), 0);
    assert_int_equal(owner->closed, 1);
}

void stage_send_pings(struct owner *owner, int count)
{
    for (int i = 0; i < count; i++) {
        struct ipc_ping ping = { .token = (uint64_t)i };
        assert_int_equal(ipc_channel_send(&owner->channel, IPC_PING, 0, &ping), 0);
    }
}

/* Writes all of it, turning the loop whenever the socket is full. */
void stage_write_far(struct owner *owner, const void *data, size_t length)
{
    const char *at = data;
    while (length > 0) {
        ssize_t written = far_write(owner->other, at, length);
        if (written < 0) {
            assert_int_equal(errno, EAGAIN);
            uv_run(&stage_loop, UV_RUN_NOWAIT);
            continue;
        }
        at += written;
        length -= (size_t)written;
    }
}

void stage_write_pings(struct owner *owner, int count)
{
    struct ipc_buffer out;
    ipc_buffer_init(&out, 1 << 20);
    for (int i = 1; i <= count; i++)
        ipc_pack(&out, IPC_CLIENT, IPC_PING, (uint32_t)i, NULL);
    stage_write_far(owner, ipc_buffer_data(&out), ipc_buffer_length(&out));
    ipc_buffer_finish(&out);
}

ssize_t stage_read_far(struct owner *owner, void *place, size_t size)
{
    ssize_t got = far_read(owner->other, place, size);
    if (got < 0)
        assert_int_equal(errno, EAGAIN);
    return got;
}
