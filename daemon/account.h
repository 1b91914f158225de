/* Users as the system knows them: who we are, what to call somebody, and whose rights workers take. */
#ifndef DAEMON_ACCOUNT_H
#define DAEMON_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACCOUNT_NAME_BYTES 400

struct account {
    bool changes;           /* else a worker stays who the daemon is */
    uint32_t user, group;
    const char *name;       /* for the log; valid as long as `wanted` below */
};

/* Our own user, as struct peer counts users. */
uint64_t account_own(void);

/* True when nothing of this machine is closed to us, so that workers should be somebody else. */
bool account_is_root(void);

/* For the log: "uid 1000"; on Windows "EXAMPLE\alice (S-1-5-21-...)". */
void account_describe(uint64_t user, char *ret_text, size_t size);

/* `wanted` is [workers] user; empty: as root "fetchd", else "nobody", else none. 0, or -1 with a sentence. */
int account_choose(const char *wanted, struct account *ret_account, char *ret_error, size_t size);

#endif
