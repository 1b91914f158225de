/* Strict-Transport-Security, RFC 6797. Whether it counts is for the daemon to decide. Pure. */
#ifndef WORKER_HSTS_H
#define WORKER_HSTS_H

#include "ipc/message.h"

#include <stdbool.h>

/* What an answer with these headers asks for: of several fields only the first counts (8.1). False for
 * nothing, or nothing that can be read. */
bool hsts_read(struct ipc_pairs headers, uint64_t now_s, struct ipc_hsts *ret_hsts);

#endif
