/* The cookies of one session: kept by domain, bounded in number and bytes, sent in the order of RFC
 * 6265bis, 5.8.3. What goes in has passed cookie_check(). Times are arguments: no clock, no I/O. */
#ifndef DAEMON_COOKIES_H
#define DAEMON_COOKIES_H

#include "table.h"
#include "cookie.h"


#define COOKIES_SENT_MOST 150               /* in one request, and */
#define COOKIES_SENT_BYTES 8190             /* so many bytes: what origins accept, and curl sends, at most */

struct cookie_domain;

struct cookie {
    struct cookie *prev, *next;             /* of its domain, oldest first */
    struct cookie *older, *newer;           /* of all */
    struct cookie_domain *domain;
    uint64_t number;                        /* by creation */
    uint64_t used;                          /* by the last time it was sent */
    uint64_t expires_s;                     /* 0: with the session */
    bool host_only, secure, http_only;
    size_t bytes;                           /* that it costs here */
    struct ipc_bytes name, value, path;     /* behind this struct */
};

struct cookies_limits { uint64_t count, of_domain, bytes; };

struct cookies {
    struct cookie_domain *by_domain;
    struct cookie *oldest;
    size_t count;
    uint64_t last_number, last_used;
    uint64_t *total_bytes;                  /* of all sessions of the user */
};

void cookies_init(struct cookies *cookies, uint64_t *total_bytes);
void cookies_clear(struct cookies *cookies);
void cookies_expire(struct cookies *cookies, uint64_t now_s);

/* Keeps one, in place of its like (same name, domain and path), or removes its like when it is expired. What
 * is above a limit pushes out expired ones first, then those sent longest ago, of an overfull domain those
 * without Secure first. `from_secure`: who sets it speaks TLS, or is the user. False when it is not
 * kept: it would overlay a Secure cookie from without TLS (5.7, 16), or there is no room. */
bool cookies_put(struct cookies *cookies, const struct ipc_cookie *record, bool from_secure,
                 const struct cookies_limits *limits, uint64_t now_s);

/* Those for a request to this place, longest path first, then oldest. Fills at most COOKIES_SENT_MOST pairs,
 * which borrow from the cookies. Returns how many. */
size_t cookies_pick(struct cookies *cookies, const struct cookie_place *place, uint64_t now_s,
                    struct ipc_pair *ret_pairs);

/* The oldest with this number or a later one that has not expired; NULL for none. */
const struct cookie *cookies_from(const struct cookies *cookies, uint64_t number, uint64_t now_s);

/* The next one after it, the same. */
const struct cookie *cookies_after(const struct cookie *cookie, uint64_t now_s);

/* Is it for this place? */
bool cookie_is_for(const struct cookie *cookie, const struct cookie_place *place);

/* As a record that borrows from it. */
struct ipc_cookie cookie_record(const struct cookie *cookie);

#endif
