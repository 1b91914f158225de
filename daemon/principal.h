/* Principals: who asks, by kernel credentials. Inside, and towards workers, an opaque number. */
#ifndef DAEMON_PRINCIPAL_H
#define DAEMON_PRINCIPAL_H

#include <stddef.h>
#include <stdint.h>

struct principals { uint64_t *users; uint32_t count, capacity; };

/* The number of a user, 1 and up, the same as long as the daemon lives; 0 without memory. */
uint32_t principals_number(struct principals *principals, uint64_t user);
void principals_finish(struct principals *principals);

#endif
