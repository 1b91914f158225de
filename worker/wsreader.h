/* What a WebSocket's peer sends: bytes in, pieces of messages and control frames out, each rule of
 * RFC 6455 for what a client may receive checked on the way. Keeps no payload but a control frame's,
 * so it costs the same for any message. Pure. */
#ifndef WORKER_WSREADER_H
#define WORKER_WSREADER_H

#include "ipc/message.h"
#include "ipc/utf8.h"

/* RFC 6455, 11.8; also MESSAGE's kinds. */
enum ws_kind { WS_CONTINUATION, WS_TEXT, WS_BINARY, WS_CLOSE = 8, WS_PING, WS_PONG };

/* RFC 6455, 7.4.1 */
#define WS_CODE_NORMAL 1000
#define WS_CODE_GOING_AWAY 1001
#define WS_CODE_PROTOCOL 1002
#define WS_CODE_NONE 1005        /* a close without a code */
#define WS_CODE_ABNORMAL 1006    /* no close at all */
#define WS_CODE_NOT_UTF8 1007
#define WS_CODE_TOO_LARGE 1009

#define WS_CONTROL_BYTES 125
#define WS_REASON_BYTES (WS_CONTROL_BYTES - 2)

struct wsreader {
    uint8_t head[10];            /* of the frame that begins */
    size_t head_length;
    bool in_frame;               /* its head is whole */
    enum ws_kind opcode;
    bool final;
    uint64_t left;               /* of its payload */
    enum ws_kind kind;           /* of the message under way; WS_CONTINUATION without one */
    uint64_t message_bytes;      /* of it, with all of the frame under way */
    uint64_t limit_bytes;
    struct ipc_utf8 text;
    uint8_t control[WS_CONTROL_BYTES];
    size_t control_length;
    bool closed;                 /* the peer's close came */
    unsigned code;               /* after a failure: what to close with, and why */
    const char *problem;
};

enum wsreader_result {
    WSREADER_MORE,       /* all bytes are taken */
    WSREADER_PIECE,      /* of a text or binary message */
    WSREADER_CONTROL,    /* a whole ping, pong or close */
    WSREADER_FAILED,     /* see reader->code; nothing may be read any more */
};

struct wsreader_piece {
    enum ws_kind kind;
    bool final;                  /* of a message: its last piece */
    unsigned code;               /* of a close, WS_CODE_NONE without */
    struct ipc_bytes payload;    /* of a close: the reason. Of a piece: borrowed from the bytes read */
    uint64_t message_bytes;      /* of a piece: what its message is known to have at least */
};

/* `limit_bytes` is the largest message; 0: no limit. */
void wsreader_init(struct wsreader *reader, uint64_t limit_bytes);

/* Takes bytes from `input` up to the end of the next piece. What comes after a close is dropped. */
enum wsreader_result wsreader_next(struct wsreader *reader, struct ipc_bytes *input,
                                   struct wsreader_piece *ret_piece);

/* Whether a close frame may carry this code. */
bool ws_code_valid(unsigned code);

#endif
