/* The rules for one cookie: may this host set it, is it for this URL. RFC 6265bis
 * (draft-ietf-httpbis-rfc6265bis), its sections named where they are followed. A record of a worker is
 * taken for what it is: somebody's claim about what an origin said. SameSite is not kept: it is about
 * pages that embed others, and nothing here is a browser. Pure: no clock, no I/O. */
#ifndef DAEMON_COOKIE_H
#define DAEMON_COOKIE_H

#include "ipc/message.h"

#include <stdbool.h>
#include <stdint.h>

#define COOKIE_PAIR_BYTES 4096              /* most of name and value together (5.6) */
#define COOKIE_PATH_BYTES 1024              /* most of an attribute (5.6) */
#define COOKIE_HOST_BYTES 256
#define COOKIE_LIFE_S ((uint64_t)400 * 24 * 3600)   /* longest, counted from now (5.5) */

struct suffixes;

/* Where a request goes, as far as cookies care. */
struct cookie_place {
    char host[COOKIE_HOST_BYTES];           /* lower case, without a dot at its end */
    bool is_address;                        /* an IP address: no domain is above it */
    bool secure;                            /* https or wss */
    size_t path_length;
    char path[32768];                       /* without . and .. segments, query and fragment */
};

/* 0, or -1 for what is no URL of http, https, ws or wss. */
int cookie_place_of(struct ipc_text url, struct cookie_place *ret_place);

enum cookie_verdict {
    COOKIE_TAKEN,
    COOKIE_REFUSED,      /* by a rule that the origin broke: it is dropped */
    COOKIE_IMPOSSIBLE,   /* no reader of Set-Cookie makes this: whoever says it is not to be trusted */
};

/* A cookie as it is kept: `record` has a domain, a path, a bounded life. It borrows from here and from
 * what was given. */
struct cookie_checked {
    struct ipc_cookie record;
    char domain[COOKIE_HOST_BYTES];
};

/* May it be kept? `place` is who set it, or NULL for a client that speaks for itself and names the domain. */
enum cookie_verdict cookie_check(const struct ipc_cookie *given, const struct cookie_place *place,
                                 const struct suffixes *suffixes, uint64_t now_s,
                                 struct cookie_checked *ret_checked);

/* 5.1.3: `host` is `domain` or below it. Both in lower case. */
bool cookie_domain_matches(const char *host, bool host_is_address, const char *domain);

/* A host's name in lower case, without a dot at its end. False for an address, or what is no name. */
bool cookie_host_of(struct ipc_text name, char ret_host[COOKIE_HOST_BYTES]);

/* 5.1.4 */
bool cookie_path_matches(const char *path, size_t path_length, struct ipc_bytes cookie_path);

static inline bool cookie_is_expired(uint64_t expires_s, uint64_t now_s)
{
    return expires_s != 0 && expires_s <= now_s;
}

#endif
