/* What one user may use at once, so that none keeps the others out: by its class, else by [limits].
 * Pure decisions: no clock, no libuv. */
#ifndef DAEMON_QUOTA_H
#define DAEMON_QUOTA_H

#include "principal.h"

#include "conf/conf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUOTA_REASON_BYTES 160

struct quota { const struct conf *conf; const struct conf_class *class; bool admin; };

/* One request more, that holds so many bytes here; charges the rate when it may come. False with a
 * sentence that names the setting. */
bool quota_takes_request(const struct quota *quota, struct principal *principal, size_t bytes, uint64_t now_ms,
                         char ret_reason[QUOTA_REASON_BYTES]);

/* One more client connection, which the principal's count has already. */
bool quota_takes_session(const struct quota *quota, const struct principal *principal,
                         char ret_reason[QUOTA_REASON_BYTES]);

/* How many client connections of all users together leave room for one more; a few are kept for admins. */
uint64_t quota_sessions(const struct quota *quota);

#endif
