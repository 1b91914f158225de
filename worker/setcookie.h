/* Set-Cookie, read as RFC 6265bis (draft-ietf-httpbis-rfc6265bis, 5.6) has it. Not by libcurl's cookie
 * engine: that keeps a jar of its own, decides there what this process must not decide, and shows neither
 * that a cookie was removed nor which hop set it. Pure. */
#ifndef WORKER_SETCOOKIE_H
#define WORKER_SETCOOKIE_H

#include "ipc/message.h"

#include <stdbool.h>

#define SETCOOKIE_MOST 50    /* taken from one answer, as curl does */

/* One field value. False when it is to be ignored. What it returns borrows from `value`; an expired one asks
 * for removal. Without a domain it is for the request's host alone, without a path for the default one. */
bool setcookie_read(struct ipc_bytes value, uint64_t now_s, struct ipc_cookie *ret_cookie);

/* Those of an answer, in order. Returns how many. */
size_t setcookie_collect(struct ipc_pairs headers, uint64_t now_s,
                         struct ipc_cookie ret_cookies[SETCOOKIE_MOST]);

#endif
