/* How many descriptors one process may have open. */
#ifndef DAEMON_DESCRIPTORS_H
#define DAEMON_DESCRIPTORS_H

#include <stdint.h>

/* Raises the limit as far as it goes, for us and for the workers. */
void descriptors_raise(void);

/* What holds for us, 0 when that is unknown; and for a worker, 0 when nothing bounds it. */
uint64_t descriptors_allowed(void);
uint64_t descriptors_allowed_worker(void);

/* How many clients may come so that enough is left for so many workers and for files; UINT64_MAX where those who find
 * none wait to be accepted. */
uint64_t descriptors_for_clients(unsigned workers);

#endif
