/* What this daemon can do beyond its messages: told in WELCOME, and asked for by `require` in HELLO or FETCH. */
#ifndef DAEMON_FEATURE_H
#define DAEMON_FEATURE_H

#include "ipc/message.h"

#include <stdbool.h>
#include <stddef.h>

/* Lives as long as the program. */
struct ipc_texts features_all(void);

/* True when one that is wanted is missing: *ret_reason names the first. */
bool features_lack(const struct ipc_texts *wanted, char *ret_reason, size_t size);

#endif
