/* What the operating system says of this process, and how it is set up for its work. */
#ifndef WORKER_VITALS_H
#define WORKER_VITALS_H

/* Raises the soft limit of open files to the hard one, keeps memory in one arena, ignores SIGPIPE. */
void vitals_prepare(void);

/* How many connections the limit of open files leaves room for, less a reserve. */
unsigned vitals_connection_limit(void);

/* Open descriptors now; 0 where nobody tells. */
unsigned vitals_open_fds(void);

#endif
