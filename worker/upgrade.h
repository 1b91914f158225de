/* A WebSocket's opening handshake, as far as it is ours: libcurl sends the request and reads the
 * answer, but checks nothing of it (RFC 6455, 4.1). So the key is made here, and the answer to it
 * judged. */
#ifndef WORKER_UPGRADE_H
#define WORKER_UPGRADE_H

#include "ipc/message.h"

#include <curl/curl.h>

#define UPGRADE_KEY_BYTES 24      /* 16 random ones in base64 */

struct upgrade {
    struct curl_slist key_node, protocol_node;
    char key_line[sizeof "Sec-WebSocket-Key: " + UPGRADE_KEY_BYTES];
    char *protocol_line;          /* NULL: no subprotocol is offered */
};

/* A new key, and our header lines in front of `lines`. They borrow from `upgrade`. NULL without memory. */
struct curl_slist *upgrade_lines(struct upgrade *upgrade, struct ipc_texts subprotocols,
                                 struct curl_slist *lines);
void upgrade_finish(struct upgrade *upgrade);

/* NULL, or what is wrong with the answer 101 that has these headers. */
const char *upgrade_check(const struct upgrade *upgrade, struct ipc_texts subprotocols,
                          struct ipc_pairs headers);

#endif
