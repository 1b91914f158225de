/* What the operating system says of this process, and how it is set up for its work. */
#ifndef WORKER_VITALS_H
#define WORKER_VITALS_H

#include <stdbool.h>
#include <stddef.h>

/* Raises the soft limit of open files to the hard one, keeps memory in one arena, ignores SIGPIPE,
 * leaves no core file. */
void vitals_prepare(void);

/* A crash may leave a core file after all, or none. */
void vitals_allow_core(bool allowed);

/* How many connections the limit of open files leaves room for, less a reserve. */
unsigned vitals_connection_limit(void);

/* Open descriptors now; 0 where nobody tells. */
unsigned vitals_open_fds(void);

/* Memory in use now; 0 where nobody tells. */
size_t vitals_rss_bytes(void);

#endif
