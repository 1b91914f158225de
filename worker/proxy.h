/* A proxy as a request names it: [scheme://][user[:password]@]host[:port]. Read strictly, so that what is
 * checked here is what libcurl will connect to. Pure. */
#ifndef WORKER_PROXY_H
#define WORKER_PROXY_H

#include "ipc/message.h"

#include <stdbool.h>

struct proxy {
    char host[256];      /* without brackets */
    bool is_https;       /* TLS to the proxy itself */
    bool is_given_addresses;   /* the target's name is looked up on our side */
};

/* 0, or -1 with a sentence in *ret_reason that holds nothing of `text`. */
int proxy_parse(struct ipc_text text, struct proxy *ret_proxy, const char **ret_reason);

#endif
