/* Frames over a local stream on a libuv loop: client to daemon, daemon to worker. The only file
 * of ipc/ that knows libuv; it knows no message's meaning. channel_unix.c reads with recvmsg over
 * uv_poll, so that descriptors can come along; channel_windows.c is uv_pipe_t.
 *
 * What is sent in one turn of the loop leaves with one write, just before the loop sleeps.
 * Everything here belongs to the loop's thread. */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include "buffer.h"
#include "frame.h"
#include "message.h"
#include "parcels.h"

#include <stdbool.h>
#include <uv.h>

struct ipc_channel;

/* What the channels of one loop share: the list of those with something to send, and the memory
 * they read into. Outlives them all. */
struct ipc_hub {
    uv_loop_t *loop;
    uv_prepare_t prepare;
    struct ipc_channel *dirty;
    uint8_t *scratch;
    struct ipc_spare spare;
};

int ipc_hub_init(struct ipc_hub *hub, uv_loop_t *loop);   /* 0 or a libuv error */
void ipc_hub_close(struct ipc_hub *hub);                  /* its handle closes in the loop */
void ipc_hub_finish(struct ipc_hub *hub);                 /* after the loop ended */

struct ipc_channel_calls {
    /* One whole frame; it and its body live until the call returns. The callee may close the
     * channel. */
    void (*on_frame)(struct ipc_channel *channel, const struct ipc_frame *frame);
    /* The peer is gone or broke the framing: `reason` says which, `status` is 0 for an orderly
     * end, else a libuv error. Called once, not after ipc_channel_close. The callee closes. */
    void (*on_end)(struct ipc_channel *channel, int status, const char *reason);
    /* Bytes left for the kernel. May be NULL. `unsent` bytes still wait. */
    void (*on_sent)(struct ipc_channel *channel, size_t unsent);
    /* After ipc_channel_close, when the memory may go. */
    void (*on_closed)(struct ipc_channel *channel);
};

struct ipc_channel {
    const struct ipc_channel_calls *calls;
    void *owner;                 /* the caller's */
    struct ipc_hub *hub;
    struct ipc_channel *next_dirty;
    struct ipc_buffer in, out;
    enum ipc_speaker speaker;    /* what we are when we send */
    bool open, dirty, ended, reading, resumed, wants_write;
    int descriptors[8];          /* received, not yet taken, oldest first */
    unsigned descriptor_count;
    struct ipc_parcels parcels;  /* descriptors on their way out */
    union { uv_poll_t poll; uv_handle_t handle; uv_pipe_t *pipe; } uv;   /* Windows: the last */
    int polled;                  /* what it waits for */
    int fd;                      /* Unix: owned */
    struct ipc_pipe_write *waiting, *last_waiting;   /* Windows: given to the kernel, not yet in the pipe */
    size_t waiting_bytes;        /* in them, the first of `out` */
    int broken;                  /* a libuv error, told before the loop sleeps */
};

/* Takes over `fd`, a connected local stream socket (on Windows a pipe for overlapped use, by
 * _open_osfhandle), and starts to read. `limit_bytes` bounds what may wait to be sent. 0, or a
 * libuv error, the descriptor closed. */
int ipc_channel_open(struct ipc_channel *channel, struct ipc_hub *hub, int fd, enum ipc_speaker speaker,
                     size_t limit_bytes, const struct ipc_channel_calls *calls, void *owner);

/* Queues a message. 0, or -1 when it does not fit: the caller should give the channel up. */
int ipc_channel_send(struct ipc_channel *channel, unsigned number, uint32_t id, const void *message);
int ipc_channel_send_data(struct ipc_channel *channel, uint32_t id, const void *data, size_t bytes);
int ipc_channel_send_body(struct ipc_channel *channel, unsigned number, uint32_t id,
                          const uint8_t *body, size_t body_length);

/* The same with a descriptor that comes along, now the channel's, which closes it when it has left or can't.
 * 0, or -1 also where descriptors can't be sent. */
int ipc_channel_send_descriptor(struct ipc_channel *channel, unsigned number, uint32_t id, const void *message,
                                int fd);

/* Bytes queued and not yet with the kernel. */
size_t ipc_channel_unsent(const struct ipc_channel *channel);

/* Writes now, as far as the kernel takes it, and no callback is made but on_sent. True when
 * nothing is left, also should this process end now. For what must be out before something else happens (SENDING,
 * a last ERROR). */
bool ipc_channel_flush(struct ipc_channel *channel);

/* The same, waiting for the kernel to take it: for no longer than `timeout_ms`, give or take. */
bool ipc_channel_flush_within(struct ipc_channel *channel, int timeout_ms);

/* Stops and resumes reading, so that a peer which does not read is not read from either. What has come by then
 * waits as well: a few bytes can ask for much. */
void ipc_channel_pause(struct ipc_channel *channel, bool paused);

/* The oldest descriptor that came with a frame and was not taken, now the caller's; -1 for none. */
int ipc_channel_take_descriptor(struct ipc_channel *channel);

/* Stops at once; on_closed follows in a later turn. Unsent bytes are tried once, then dropped. */
void ipc_channel_close(struct ipc_channel *channel);

#endif
