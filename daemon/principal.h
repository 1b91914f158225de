/* Principals: who asks, by kernel credentials. Inside, and towards workers, an opaque number. */
#ifndef DAEMON_PRINCIPAL_H
#define DAEMON_PRINCIPAL_H

#include "jar.h"
#include "queue.h"

#include "ipc/error.h"

#include <stdint.h>

/* Its place in the queue for one group of workers. */
struct principal_flow {
    struct principal_flow *next;
    unsigned group;
    struct queue_flow flow;
};

struct principal {
    struct principal *next;
    uint64_t user;
    uint32_t number;           /* 1 and up, the same as long as the daemon lives */
    unsigned sessions;         /* client connections */
    unsigned in_flight;        /* requests whose client has no DONE yet */
    uint64_t kept_bytes;       /* that those requests hold here */
    uint64_t rate_full_us;     /* when as many may come at once as ever */
    uint64_t refused_ms;       /* when it was last told in the log that it may not connect */
    uint64_t accepted, succeeded, failed;
    uint64_t errors[IPC_ERROR_COUNT];   /* by name */
    struct principal_flow *flows;
    struct jars jars;          /* its sessions */
};

struct principals { struct principal *first; uint32_t count; };

/* The principal of a user; it stays until principals_finish. NULL without memory. */
struct principal *principals_find(struct principals *principals, uint64_t user);

/* Made when it is new; NULL without memory. It stays as long as the principal. */
struct queue_flow *principal_flow(struct principal *principal, unsigned group);
void principals_finish(struct principals *principals);

#endif
