/* Whose rights workers have: those of a user that owns nothing, when the daemon was started as root. */
#ifndef DAEMON_ACCOUNT_H
#define DAEMON_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account {
    bool changes;           /* else a worker stays who the daemon is */
    uint32_t user, group;
    const char *name;       /* for the log; valid as long as `wanted` below */
};

/* `wanted` is [workers] user; empty: as root "fetchd", else "nobody", else none. 0, or -1 with a sentence. */
int account_choose(const char *wanted, struct account *ret_account, char *ret_error, size_t size);

#endif
