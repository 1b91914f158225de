/* The origin of a URL: scheme, host, port (RFC 6454). A strict reader for URLs that curl will
 * parse again in a worker: what it does not understand it refuses. Pure, allocates nothing. */
#ifndef IPC_ORIGIN_H
#define IPC_ORIGIN_H

#include "message.h"

#define IPC_ORIGIN_BYTES 288

/* The longest URL. A field has room for a little more (messages.def), so that one which gains an s, or whose
 * origin wrote too long a Location, is refused in peace and breaks no protocol. */
#define IPC_URL_BYTES 32760

struct ipc_origin {
    struct ipc_text scheme, host, userinfo;  /* borrowed from the URL; host without brackets */
    unsigned port;                           /* explicit, or the scheme's own */
    char key[IPC_ORIGIN_BYTES];              /* "https://example.com:443", lower case, for maps and logs */
};

/* 0, or -1 with *ret_reason a sentence without a full stop (never holding the URL itself). */
int ipc_origin_parse(struct ipc_text url, struct ipc_origin *ret_origin, const char **ret_reason);

/* Bytes of `url` up to its query or fragment and without userinfo, for a log. Writes at most
 * size - 1 bytes, NUL-terminated. */
void ipc_origin_log_url(struct ipc_text url, char *ret_text, size_t size);

#endif
