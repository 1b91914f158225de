/* What an answer asks its session to remember: cookies, and to come over TLS only. This process keeps
 * none of it: the daemon does, which hears of it with RESPONSE and HOP. */
#ifndef WORKER_MEMO_H
#define WORKER_MEMO_H

#include "setcookie.h"

struct memo {
    struct ipc_cookie cookies[SETCOOKIE_MOST];
    size_t cookie_count;
    struct ipc_hsts hsts;
    bool wants_tls;            /* hsts holds */
};

/* It borrows from the headers. */
void memo_read(struct memo *memo, struct ipc_pairs headers);

#endif
