/* Memory for what is small and can't be done without: a request's place in a table, say, in the midst of a
 * step that has no way back. The daemon keeps a little aside for it; without memory that goes first, and is
 * gathered again each second. */
#ifndef DAEMON_RESERVE_H
#define DAEMON_RESERVE_H

#include <stddef.h>

/* Never NULL: when not even the reserve is of help, the process ends with a log line. */
void *reserve_alloc(size_t bytes);

/* Gathers it, at the start and again after it was used. */
void reserve_refill(void);
void reserve_finish(void);

#endif
