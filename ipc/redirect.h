/* What a request becomes when a redirect is followed (RFC 9110 15.4, and the Fetch standard's
 * rules for credentials). One rule, used by the worker that goes on and by the daemon that places
 * the request elsewhere. Pure. */
#ifndef IPC_REDIRECT_H
#define IPC_REDIRECT_H

#include "message.h"

/* Room for the headers that stay; the caller owns it and keeps it as long as the fetch. */
struct ipc_redirect_headers { struct ipc_pair *items; size_t capacity; };

/* Changes `fetch` in place: url becomes `url` (borrowed); 301 and 302 turn POST into GET, 303 all
 * but HEAD into GET, and then the body and the headers that describe it go; on another origin
 * Authorization, Cookie, Proxy-Authorization and `credentials` go; `cookies`, which were of this hop,
 * always do. With redirect_https_only a URL that is not https (or wss) is none to follow. `kept` must have room for
 * fetch->headers.count pairs. 0, or -1 when `url` is not one to follow, with *ret_reason set. */
int ipc_redirect_apply(struct ipc_fetch *fetch, unsigned status, struct ipc_text url,
                       struct ipc_redirect_headers *kept, const char **ret_reason);

#endif
