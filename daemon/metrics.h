/* The metrics, in the Prometheus text exposition format, version 0.0.4. One table names them all. */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include "ipc/buffer.h"

struct daemon;
struct principal;

#define METRICS_BYTES 1000000   /* most of it, as in messages.def; samples beyond are left out and counted */

/* Appends the exposition, or what concerns one principal alone. 0, or -1 without memory. */
int metrics_write(struct daemon *daemon, const struct principal *only, struct ipc_buffer *out);

#endif
