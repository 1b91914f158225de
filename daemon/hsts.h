/* Hosts that asked to be spoken to over TLS only (RFC 6797), of one session. Times are arguments: no
 * clock, no I/O. */
#ifndef DAEMON_HSTS_H
#define DAEMON_HSTS_H

#include "ipc/message.h"

#include "table.h"

#include <stdbool.h>
#include <stdint.h>

#define HSTS_LIFE_S ((uint64_t)10 * 366 * 24 * 3600)   /* longest, counted from now */

struct cookie_place;

struct hsts_host {
    UT_hash_handle handle;
    uint64_t expires_s;
    bool subdomains;
    char name[];
};

struct hsts_limits { uint64_t hosts, bytes; };

struct hsts {
    struct hsts_host *by_name;
    uint64_t *total_bytes;    /* of all sessions of the user, cookies included */
};

void hsts_init(struct hsts *hsts, uint64_t *total_bytes);

void hsts_clear(struct hsts *hsts);
size_t hsts_count(const struct hsts *hsts);
void hsts_expire(struct hsts *hsts, uint64_t now_s);

/* What a host said, or a client says of it: keeps it, or forgets it when its time is past. `name` in lower
 * case, no IP address. Above a limit those that end soonest go. False without memory or room. */
bool hsts_note(struct hsts *hsts, const char *name, const struct ipc_hsts *record,
               const struct hsts_limits *limits, uint64_t now_s);

/* As a record that borrows from it. */
struct ipc_hsts hsts_record(const struct hsts_host *host);

/* 8.2: must this host be spoken to over TLS? */
bool hsts_covers(const struct hsts *hsts, const char *name, uint64_t now_s);

/* 8.3: the URL to ask instead of an http or ws URL for such a host, to be freed; NULL when it stays as it is.
 * Without memory *ret_failed becomes true: then nothing may be asked. */
char *hsts_upgrade(const struct hsts *hsts, struct ipc_text url, uint64_t now_s, bool *ret_failed);

#endif
