/* What goes to a WebSocket's peer: messages in, masked frames out as one stream of bytes. Pongs and
 * keep-alive pings pass what waits, at the next boundary of a frame. Bytes that were offered and
 * blocked are offered again, all of them and first, as TLS wants it. Pure. */
#ifndef WORKER_WSWRITER_H
#define WORKER_WSWRITER_H

#include "ipc/buffer.h"
#include "ipc/error.h"
#include "wsreader.h"

#define WSWRITER_HEAD_BYTES 14
#define WSWRITER_OFFER_BYTES (IPC_DATA_BYTES + WSWRITER_HEAD_BYTES)   /* room for any one frame */

struct wswriter_note { uint8_t bytes[WS_CONTROL_BYTES]; size_t length; bool waits; };

struct wswriter {
    void (*random)(void *place, size_t bytes);   /* for masks: not to be guessed (RFC 6455, 10.3) */
    struct ipc_buffer frames;        /* in the order of the client's messages */
    size_t frame_size, frame_left;   /* of the first of them; 0: not looked at yet */
    int64_t frame_cost;              /* what the client paid for it, once it has begun to leave */
    struct wswriter_note pong, ping; /* only the newest of each: 5.5.3 */
    uint8_t urgent[2 * (WS_CONTROL_BYTES + WSWRITER_HEAD_BYTES)];   /* those two as frames */
    size_t urgent_at, urgent_length;
    size_t offer_length;
    bool offer_urgent;               /* it is of `urgent` */
    bool blocked;                    /* the offer must be made again as it was */
    enum ws_kind kind;               /* of the message that goes on; WS_CONTINUATION: none */
    struct ipc_utf8 text;
    bool closed;                     /* a close was queued, and nothing may follow */
    uint64_t queued_bytes, sent_bytes;   /* of `frames` */
};

/* `limit_bytes` bounds the client's frames that wait. */
void wswriter_init(struct wswriter *writer, size_t limit_bytes, void (*random)(void *place, size_t bytes));
void wswriter_finish(struct wswriter *writer);

/* A message of the client, or a piece. IPC_ERROR_NONE, or what is wrong with it; nothing changed then. */
enum ipc_error_code wswriter_message(struct wswriter *writer, const struct ipc_message *message,
                                     const char **ret_problem);

/* Answers a ping. */
void wswriter_pong(struct wswriter *writer, struct ipc_bytes payload);

/* A ping of our own. */
void wswriter_ping(struct wswriter *writer, struct ipc_bytes payload);
bool wswriter_ping_waits(const struct wswriter *writer);   /* it, or part of it, is still here */

/* A close, behind what waits, or at once: then what has not begun to leave is dropped, and sent_bytes
 * says nothing of queued_bytes before. `code` WS_CODE_NONE sends none. Only the first close counts. */
void wswriter_close(struct wswriter *writer, unsigned code, struct ipc_bytes reason, bool at_once);

/* The bytes to send next; of length 0 when there are none. */
struct ipc_bytes wswriter_offer(struct wswriter *writer);

bool wswriter_empty(const struct wswriter *writer);

/* `bytes` of the offer left. Returns the credit of the client's frames that are out by that. */
int64_t wswriter_sent(struct wswriter *writer, size_t bytes);

/* None of the offer left. */
void wswriter_blocked(struct wswriter *writer);

#endif
