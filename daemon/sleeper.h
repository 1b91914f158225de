/* A request's alarm: one REQUEST_WAKE at a time. */
#ifndef DAEMON_SLEEPER_H
#define DAEMON_SLEEPER_H

#include <stdint.h>

struct request;

/* Wakes the request at that time of the loop's clock (0: in its next turn), in place of an earlier
 * alarm. Aborts without memory. */
void sleep_until(struct request *request, uint64_t due_ms);
void sleep_cancel(struct request *request);

#endif
