/* Where else an origin says that it answers (Alt-Svc, RFC 7838): a table from origins to places that
 * speak HTTP/3. Other protocols and drafts are passed over. It is only a hint: who uses it verifies the
 * origin's own certificate there, asks the egress policy for the address, and goes to the origin itself
 * when the place fails. Bounded, and pure: times are given, in seconds of any clock that only grows. */
#ifndef WORKER_ALTSVC_H
#define WORKER_ALTSVC_H

#include "ipc/message.h"

#include <stdbool.h>
#include <stdint.h>

#define ALTSVC_ORIGINS 256     /* in a table; the one that ends first makes room */
#define ALTSVC_PLACES 4        /* of an origin; those that it names first */

struct altsvc_place {
    char host[256];            /* without brackets, lower case */
    unsigned port;
    bool elsewhere;            /* not at the origin's own host and port */
    bool other_host;           /* not at its host */
    bool from_public;          /* announced from a public address, so that it leads to no private one */
};

/* Whose announcement it is: what one session (0: none) heard, others are not told. */
struct altsvc_origin {
    uint64_t jar;
    const char *key;           /* "https://host:port" */
    struct ipc_text host;
    unsigned port;
};

struct altsvc_entry;

struct altsvc {
    struct altsvc_entry *entries;   /* the one learnt last first */
    unsigned count;
};

/* Takes what an answer of the origin says, in its Alt-Svc fields, in place of what was known. An answer
 * without one changes nothing; one of which a field is broken is ignored. */
void altsvc_learn(struct altsvc *table, const struct altsvc_origin *origin, struct ipc_pairs headers,
                  bool from_public, uint64_t now_s);

/* The first place of the origin that is neither too old nor has failed of late. */
bool altsvc_find(struct altsvc *table, const struct altsvc_origin *origin, uint64_t now_s,
                 struct altsvc_place *ret_place);

/* The place could not be reached: it is left alone for a while, longer each time. Or it could. */
void altsvc_failed(struct altsvc *table, const struct altsvc_origin *origin, const struct altsvc_place *place,
                   uint64_t now_s);
void altsvc_worked(struct altsvc *table, const struct altsvc_origin *origin, const struct altsvc_place *place);

/* This host may be in another network now: forgets all that was not said to persist. */
void altsvc_moved(struct altsvc *table);

void altsvc_finish(struct altsvc *table);

#endif
