/* The workers as a whole: a seat each in the pool, successors that take a seat over once they are
 * ready, those that leave, the few quarantine workers where suspect requests run among themselves, and the
 * solo workers, each for one request at a time: libcurl's FTP waits in the middle of its event interface, and
 * whoever shares its process waits too. */
#ifndef DAEMON_CREW_H
#define DAEMON_CREW_H

#include "pool.h"

#include <stdbool.h>
#include <stdint.h>

struct daemon;
struct request;
struct supervisor;

#define CREW_NO_SEAT UINT32_MAX
#define CREW_QUARANTINE 2
#define CREW_SOLO 64

/* Why a worker was started anew, for the metrics. */
enum crew_reason {
    CREW_CRASHED, CREW_KILLED, CREW_HUNG, CREW_BREACHED, CREW_EXITED, CREW_RECYCLED, CREW_RELOADED,
    CREW_REASONS,
};
const char *crew_reason_name(enum crew_reason reason);

#define CREW_GROUPS 65   /* the common workers, and those of so many classes of users but one */

/* Workers among whom a request is placed: neighbouring seats. The first group is for all whose class has no
 * workers of its own. */
struct crew_group {
    char *class;                     /* NULL for the first */
    unsigned first, size;
    struct pool pool;                /* it counts seats from 0 */
};

struct crew {
    struct daemon *daemon;
    struct crew_group groups[CREW_GROUPS];
    unsigned group_count;
    unsigned size;                   /* seats of all groups */
    struct supervisor **seats;
    struct supervisor *others;       /* successors not ready yet, leavers, quarantine workers: a list */
    struct supervisor *quarantine[CREW_QUARANTINE];
    struct supervisor *solo[CREW_SOLO];
    unsigned roll_next;              /* the next seat that a reload renews; `size` when none is left */
    bool closing;
    uint64_t restarts[CREW_REASONS];
};

/* So many common workers, and those of each class that has its own. 0, or -1 without memory, or for more
 * such classes than there are groups. */
int crew_start(struct crew *crew, struct daemon *daemon, unsigned size);

/* The group of a class, the first for one that has no workers of its own; the same as long as the crew is. */
unsigned crew_group(const struct crew *crew, const char *class);

/* Of a worker with a seat: its group's class, NULL for the common ones. */
const char *crew_class(const struct crew *crew, const struct supervisor *supervisor);

/* How many seats have a worker that takes requests. */
unsigned crew_ready(const struct crew *crew);

/* A request comes to, or leaves, a seat; nothing for CREW_NO_SEAT. */
void crew_add_load(struct crew *crew, uint32_t seat);
void crew_remove_load(struct crew *crew, uint32_t seat);

/* The worker that may take a request now: by its origin, in quarantine for a suspect, or one of its own. NULL:
 * none has room, the request waits. */
struct supervisor *crew_choose(struct crew *crew, const struct request *request);

/* Renews the worker in a seat: a successor starts, takes the seat when ready, the old one drains.
 * Nothing when a renewal is under way already. */
void crew_renew(struct crew *crew, struct supervisor *supervisor, enum crew_reason reason, const char *why);

/* Renews all seats, one after the other. */
void crew_roll(struct crew *crew);

/* Renews workers that have become too old, too large or leaky; once a second. */
void crew_check(struct crew *crew);

/* Renews a worker whose TLS failures stand out from its siblings', and lets the recent past fade. */
void crew_judge(struct crew *crew);

/* Drains all, for good; crew_is_down tells when. A second call with `now` kills what is left. */
void crew_retire(struct crew *crew, bool now);
bool crew_is_down(const struct crew *crew);
void crew_finish(struct crew *crew);   /* after the loop ended */

/* True for the process of a worker. */
bool crew_has_process(const struct crew *crew, uint32_t pid);

/* Calls `visit` for every worker, seats first. */
void crew_visit(struct crew *crew, void (*visit)(struct supervisor *supervisor, void *context), void *context);

/* ---- what supervisors tell ---- */

void crew_worker_ready(struct crew *crew, struct supervisor *supervisor);
void crew_worker_unready(struct crew *crew, struct supervisor *supervisor);
void crew_worker_stopped(struct crew *crew, struct supervisor *supervisor);

#endif
