/* Metrics for a Prometheus on this host: answers GET /metrics on a loopback port, and nothing else.
 * The native protocol never uses TCP. */
#ifndef DAEMON_EXPORTER_H
#define DAEMON_EXPORTER_H

#include <stdbool.h>
#include <uv.h>

struct daemon;

struct exporter {
    struct daemon *daemon;
    uv_tcp_t tcp;
    unsigned readers;      /* connections open */
    bool open;
};

/* Listens on 127.0.0.1:`port`; 0 or a libuv error. */
int exporter_open(struct exporter *exporter, struct daemon *daemon, unsigned port);
void exporter_close(struct exporter *exporter);   /* nothing when it is not open */

#endif
