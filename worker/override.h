/* Where a connection goes when a request overrides it: connect_to, "host:port:other host:other port", as
 * curl's --connect-to. An empty host or port on the left fits every one, on the right it leaves it as it
 * is. Pure. */
#ifndef WORKER_OVERRIDE_H
#define WORKER_OVERRIDE_H

#include "ipc/message.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether it has the form. */
bool override_is_connect_to(struct ipc_text text);

/* Changes `host` (of `size` bytes, without brackets) and `port` to where libcurl will connect. True when an
 * entry fits. Entries must have the form. */
bool override_connect_to(struct ipc_texts entries, char *host, size_t size, unsigned *port);

#endif
