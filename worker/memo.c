/* What an answer asks to remember. */
#include "memo.h"

#include "hsts.h"

#include <time.h>

void memo_read(struct memo *memo, struct ipc_pairs headers)
{
    uint64_t now_s = (uint64_t)time(NULL);
    memo->cookie_count = setcookie_collect(headers, now_s, memo->cookies);
    memo->wants_tls = hsts_read(headers, now_s, &memo->hsts);
}
