/* What a request has besides when it is a WebSocket: the message that comes in pieces, the one that
 * leaves in pieces, the flushes asked for, and the close. */
#ifndef CLIENT_WEBSOCKET_H
#define CLIENT_WEBSOCKET_H

#include "assembly.h"
#include "core.h"

#define WEBSOCKET_CONTROL_BYTES 125   /* RFC 6455 5.5 */
#define WEBSOCKET_REASON_BYTES 123

struct ask;

struct websocket {
    bool pieces;               /* messages are told as they come, nothing is put together */
    bool wants_control;
    bool reconnect;
    unsigned arriving;         /* kind of the message whose pieces are arriving; 0: none */
    unsigned leaving;          /* of the one that is being sent */
    bool leaving_void;         /* REOPEN cut it off, and the sender does not know yet */
    struct assembly assembly;
    uint64_t flushes_asked, flushes_answered;   /* the last token of each */
    uint64_t flushes_void;     /* up to this one they will have no answer */
    unsigned close_code;
    size_t close_length;
    char close_reason[WEBSOCKET_REASON_BYTES];
    uint8_t control[WEBSOCKET_CONTROL_BYTES];   /* of the last control frame that was received */
    struct fetchd_ws_message message;
};

/* Makes the request one. 0, or -1 without memory. */
int websocket_create(struct fetchd_request *request, const struct ask *ask);
void websocket_destroy(struct websocket *websocket);

/* ---- what comes, before the application hears of it ---- */

/* A MESSAGE has arrived. NULL, and whether it must be told; or what is wrong with it. One that is
 * not told has been taken. */
const char *websocket_hear(struct fetchd_request *request, const struct ipc_message *message, bool *ret_told);

/* FLUSHED and REOPEN. False when they must not come. */
bool websocket_hear_flushed(struct fetchd_request *request, uint64_t token);
bool websocket_hear_reopen(struct fetchd_request *request);

/* ---- the same, told ---- */

/* *ret_message is what the application is told, or NULL when this was a piece and more must come. */
enum ipc_error_code websocket_take(struct fetchd_request *request, const struct ipc_message *message,
                                   const struct fetchd_ws_message **ret_message);
void websocket_take_reopen(struct fetchd_request *request);

/* ---- what leaves ---- */

/* Sends the close that was asked for, if there is credit. True when it was sent. */
bool websocket_say_close(struct fetchd_request *request);

#endif
