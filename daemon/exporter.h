/* Metrics for a Prometheus on this host: answers GET /metrics on a loopback port, and nothing else.
 * The native protocol never uses TCP. */
#ifndef DAEMON_EXPORTER_H
#define DAEMON_EXPORTER_H

#include <stdbool.h>
#include <uv.h>

struct daemon;
struct reader;

struct exporter {
    struct daemon *daemon;
    uv_tcp_t tcp;
    struct reader *readers;    /* a list */
    unsigned reader_count;
    bool open;
};

/* Listens on 127.0.0.1:`port`; 0 or a libuv error. */
int exporter_open(struct exporter *exporter, struct daemon *daemon, unsigned port);

/* Closes its readers too, which would ask parts that are gone. Nothing when it is not open. */
void exporter_close(struct exporter *exporter);

#endif
