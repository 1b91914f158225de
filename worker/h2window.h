/* How much of an HTTP/2 answer may be on its way to us. libcurl opens each stream's window to 10 MiB, twice,
 * and what is under way when a transfer pauses it must keep: 50 stalled streams would cost 500 MB. It has no
 * option for that, so the nghttp2 functions that it sets windows with go through here, by the linker's
 * --wrap (meson.build). A stream begins with a small window, which grows as its bytes come, up to its
 * share of a budget that all streams of this worker have together (RFC 9113, 5.2; as TCP does it). */
#ifndef WORKER_H2WINDOW_H
#define WORKER_H2WINDOW_H

/* An HTTP/2 answer begins, and ends: how many share the budget. */
void h2window_enter(void);
void h2window_leave(void);

#endif
