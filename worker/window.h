/* How much of all the answers that share connections may be on its way to us: a budget, in equal parts.
 * For h2window.h and h3window.h. */
#ifndef WORKER_WINDOW_H
#define WORKER_WINDOW_H

#include <stdint.h>

#define WINDOW_LEAST_BYTES (32 * 1024)   /* of one answer; what it begins with */

/* An answer over HTTP/2 or 3 begins, and ends: how many share the budget. */
void window_enter(void);
void window_leave(void);

/* The most that one of them may have. */
int32_t window_share(void);

#endif
