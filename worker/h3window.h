/* How much of an HTTP/3 answer may be on its way to us. libcurl opens each stream's window to 10 MiB and the
 * connection's to 1000 MiB, and what is under way when a transfer pauses it must keep. It has no option for
 * that, so the ngtcp2 functions that it sets windows with go through here, by the linker's --wrap
 * (meson.build). A stream begins with a small window, which grows as its bytes come, up to its share of a
 * budget (window.h); libcurl does not move that of a paused one (RFC 9000, 4). What may arrive out of order
 * on a connection is bounded by the connection's window. */
#ifndef WORKER_H3WINDOW_H
#define WORKER_H3WINDOW_H

#include <stdbool.h>
#include <stdint.h>

struct h3window {              /* of one transfer */
    void *connection;          /* NULL while it has no stream; never one that libcurl has let go of */
    struct h3window *next, **link;   /* among those with a connection */
    int64_t stream;
    uint64_t open_bytes;       /* how wide it is */
    uint64_t packets;          /* of its connection, that had come when the stream began */
};

/* Its next stream is another one. */
void h3window_reset(struct h3window *window);

/* Whether anything came on its connection since the stream began; true while there is none. */
bool h3window_has_heard(const struct h3window *window);

/* How long nothing may come after something was sent: a few probes, by ngtcp2's reckoning. */
uint64_t h3window_patience_ms(const struct h3window *window);

#endif
