/* How much of an HTTP/3 answer may be on its way to us. libcurl opens each stream's window to 10 MiB and the
 * connection's to 1000 MiB, and opens them again for whatever comes, also while the transfer is paused, whose
 * bytes it then keeps without a bound. It has no option for that, so the ngtcp2 functions that it sets
 * windows with go through here, by the linker's --wrap (meson.build). A stream begins with a small window,
 * which grows as its bytes come, up to its share of a budget (window.h); that of a paused one stays as it
 * is (RFC 9000, 4). What may arrive out of order on a connection is bounded by the connection's window. */
#ifndef WORKER_H3WINDOW_H
#define WORKER_H3WINDOW_H

#include <stdbool.h>
#include <stdint.h>

struct h3window {              /* of one transfer */
    void *connection;          /* NULL while it has no stream */
    int64_t stream;
    uint64_t open_bytes;       /* how wide it is */
    uint64_t held_bytes;       /* came while it was paused: what the window is to be moved by */
    bool paused;
    uint64_t packets;          /* of its connection, that had come when the stream began */
};

/* Its next stream is another one. */
void h3window_reset(struct h3window *window);

/* Between these the window does not move. Not from within a callback of ngtcp2, the second. */
void h3window_pause(struct h3window *window);
void h3window_resume(struct h3window *window);

/* Whether anything came on its connection since the stream began; true while there is none. */
bool h3window_has_heard(const struct h3window *window);

/* How long nothing may come after something was sent: a few probes, by ngtcp2's reckoning. */
uint64_t h3window_patience_ms(const struct h3window *window);

#endif
