/* The metrics, in the Prometheus text exposition format, version 0.0.4. One table names them all. */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include "ipc/buffer.h"

struct daemon;
struct principal;

/* Appends the whole exposition, or what concerns one principal alone. 0, or -1 when it does not fit. */
int metrics_write(struct daemon *daemon, const struct principal *only, struct ipc_buffer *out);

#endif
