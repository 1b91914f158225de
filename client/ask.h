/* A struct fetchd_options as the FETCH that says it. */
#ifndef CLIENT_ASK_H
#define CLIENT_ASK_H

#include "failure.h"
#include "ipc/message.h"
#include "text.h"

#define ASK_HEADERS 256
#define ASK_TEXTS 64

/* Borrows every string from the options, but for a URL with a query that was added. */
struct ask {
    struct fetchd_options options;
    struct ipc_fetch fetch;
    struct ipc_pair headers[ASK_HEADERS];
    struct ipc_text resolve[ASK_TEXTS], connect_to[ASK_TEXTS], require[ASK_TEXTS], subprotocols[ASK_TEXTS];
    struct text url;
};

/* 0, or -1 with *ret_failure set for what no FETCH can say: the daemon would close the connection, and
 * with it all other requests. */
int ask_build(struct ask *ask, const struct fetchd_options *options, struct failure *ret_failure);
void ask_finish(struct ask *ask);   /* also of one that failed */

/* Only ask->options: what the caller's version of the struct has. 0 or -1 as above. */
int ask_copy(struct ask *ask, const struct fetchd_options *options, struct failure *ret_failure);

/* True for a method that may be repeated without harm (RFC 9110 9.2.1). */
bool ask_is_safe(const struct ask *ask);

/* True for a URL of ws or wss. */
bool ask_is_websocket(const struct ask *ask);

#endif
