/* A jar is what users and the protocol call a session: a name, under which a user's requests share
 * cookies and HSTS. (In this folder `session` is a client's connection.) A jar belongs to one principal, in
 * whose table it stands; nothing of it is ever seen by another. Pure: no libuv, no clock, no I/O. */
#ifndef DAEMON_JAR_H
#define DAEMON_JAR_H

#include "cookies.h"
#include "hsts.h"

#define JAR_NAME_BYTES 65

struct jars;
struct suffixes;

struct jar {
    UT_hash_handle handle;
    char name[JAR_NAME_BYTES];
    uint32_t number;          /* no other has had it, of any principal; for workers */
    struct jars *jars;
    struct cookies cookies;
    struct hsts hsts;
    unsigned requests;        /* that use it */
    bool removed;             /* has no place in the table any more; the last user frees it */
    uint64_t used_s;          /* when it was used last */
    unsigned bound;           /* to the client connection of this number, with which it ends; 0: to none */

    bool persistent;          /* store.c keeps it in a file: */
    bool dirty;               /* the file is not up to date */
    bool saving;              /* it is being written */
    bool complained;          /* that it can't be */
    uint64_t saved_s;
};

/* Of one principal. */
struct jars {
    struct jar *by_name;
    uint64_t user;
    uint64_t bytes;           /* of all cookies and HSTS */
};

/* What holds for all jars just now. */
struct jar_rules {
    const struct suffixes *suffixes;
    struct cookies_limits limits;
    struct hsts_limits hsts;
    uint64_t now_s;
};

/* Letters, digits, '.', '_', '-', not a '.' first: it becomes part of a file's name. */
bool jar_name_is_fine(struct ipc_text name);

/* NULL without memory. There must be none of that name, which must be fine. */
struct jar *jars_create(struct jars *jars, struct ipc_text name, bool persistent, uint64_t now_s);
struct jar *jars_find(const struct jars *jars, struct ipc_text name);   /* NULL for none */
size_t jars_count(const struct jars *jars);
void jars_finish(struct jars *jars);

/* Empties it and takes it out of the table: requests under way send none of it any more. */
void jar_remove(struct jar *jar);

/* A request uses it; no longer does. */
void jar_hold(struct jar *jar);
void jar_release(struct jar *jar, uint64_t now_s);

/* Frees one that is removed and that nobody uses. */
void jar_free_unused(struct jar *jar);

/* The cookies for a request to `url`: fills COOKIES_SENT_MOST pairs at most, which borrow from the jar. */
size_t jar_pick(struct jar *jar, struct ipc_text url, const struct jar_rules *rules,
                struct ipc_pair *ret_pairs);

/* What an origin said in its answer to `url`, by a worker's word; `trusted_tls`: its certificate was
 * verified. What breaks a rule is dropped. NULL, or why the worker can't be believed. */
const char *jar_take(struct jar *jar, struct ipc_text url, const struct ipc_cookie *cookies, size_t count,
                     const struct ipc_hsts *hsts, bool trusted_tls, const struct jar_rules *rules);

/* What its user says. False when it breaks a rule, or removes what is not there. */
bool jar_put_cookie(struct jar *jar, const struct ipc_cookie *record, const struct jar_rules *rules);
bool jar_put_hsts(struct jar *jar, const struct ipc_hsts *record, const struct jar_rules *rules);

#endif
