/* RFC 6797. */
#include "hsts.h"

#include "cookie.h"

#include "ipc/origin.h"

#include <stdlib.h>
#include <string.h>

static struct hsts_host *find(const struct hsts *hsts, const char *name)
{
    struct hsts_host *host;
    HASH_FIND(handle, hsts->by_name, name, strlen(name), host);
    return host;
}

static uint64_t bytes_of(const char *name)
{
    return sizeof(struct hsts_host) + strlen(name) + 1;
}

static void drop(struct hsts *hsts, struct hsts_host *host)
{
    *hsts->total_bytes -= bytes_of(host->name);
    HASH_DELETE(handle, hsts->by_name, host);
    free(host);
}

void hsts_init(struct hsts *hsts, uint64_t *total_bytes)
{
    *hsts = (struct hsts){ .total_bytes = total_bytes };
}

void hsts_clear(struct hsts *hsts)
{
    while (hsts->by_name)
        drop(hsts, hsts->by_name);
}

size_t hsts_count(const struct hsts *hsts)
{
    return HASH_CNT(handle, hsts->by_name);
}

void hsts_expire(struct hsts *hsts, uint64_t now_s)
{
    struct hsts_host *host, *next;
    HASH_ITER(handle, hsts->by_name, host, next)
        if (host->expires_s <= now_s)
            drop(hsts, host);
}

/* ---- taking ---- */

static void drop_soonest(struct hsts *hsts)
{
    struct hsts_host *host, *next, *soonest = hsts->by_name;
    HASH_ITER(handle, hsts->by_name, host, next)
        if (host->expires_s < soonest->expires_s)
            soonest = host;
    drop(hsts, soonest);
}

/* The user's other sessions are not touched: without room, it is not kept. */
static bool make_room(struct hsts *hsts, uint64_t bytes, const struct hsts_limits *limits)
{
    while (hsts->by_name && (hsts_count(hsts) >= limits->hosts || *hsts->total_bytes + bytes > limits->bytes))
        drop_soonest(hsts);
    return limits->hosts > 0 && *hsts->total_bytes + bytes <= limits->bytes;
}

static struct hsts_host *need(struct hsts *hsts, const char *name, const struct hsts_limits *limits)
{
    struct hsts_host *host = find(hsts, name);
    uint64_t bytes = bytes_of(name);
    if (host || !make_room(hsts, bytes, limits) || !(host = calloc(1, bytes)))
        return host;
    memcpy(host->name, name, strlen(name) + 1);
    HASH_ADD_KEYPTR(handle, hsts->by_name, host->name, strlen(name), host);
    *hsts->total_bytes += bytes;
    return host;
}

bool hsts_note(struct hsts *hsts, const char *name, const struct ipc_hsts *record,
               const struct hsts_limits *limits, uint64_t now_s)
{
    uint64_t last_s = now_s + HSTS_LIFE_S;
    struct hsts_host *host;
    if (record->expires_s <= now_s) {
        if ((host = find(hsts, name)))
            drop(hsts, host);
        return true;
    }
    if (!(host = need(hsts, name, limits)))
        return false;
    host->expires_s = record->expires_s < last_s ? record->expires_s : last_s;
    host->subdomains = record->subdomains;
    return true;
}

struct ipc_hsts hsts_record(const struct hsts_host *host)
{
    return (struct ipc_hsts){ .host = ipc_text(host->name), .expires_s = host->expires_s,
                              .subdomains = host->subdomains };
}

/* ---- asking ---- */

bool hsts_covers(const struct hsts *hsts, const char *name, uint64_t now_s)
{
    for (const char *at = name; at; at = strchr(at, '.')) {
        at += *at == '.';
        const struct hsts_host *host = find(hsts, at);
        if (host && host->expires_s > now_s && (at == name || host->subdomains))
            return true;
    }
    return false;
}

/* "http" becomes "https", and an explicit port 80 goes; any other stays, as 8.3 has it. */
static char *with_tls(struct ipc_text url, const struct ipc_origin *origin)
{
    size_t scheme = origin->scheme.length;
    const char *end = url.data + url.length, *port = origin->host.data + origin->host.length, *rest = port;
    while (rest < end && *rest != '/' && *rest != '?' && *rest != '#')
        rest++;
    if (origin->port != 80)
        rest = port;
    char *upgraded = malloc(url.length + 2), *at = upgraded;
    if (!upgraded)
        return NULL;
    memcpy(at, url.data, scheme);
    at += scheme;
    *at++ = 's';
    memcpy(at, url.data + scheme, (size_t)(port - url.data) - scheme);
    at += (size_t)(port - url.data) - scheme;
    memcpy(at, rest, (size_t)(end - rest));
    at[end - rest] = '\0';
    return upgraded;
}

char *hsts_upgrade(const struct hsts *hsts, struct ipc_text url, uint64_t now_s, bool *ret_failed)
{
    struct ipc_origin origin;
    struct cookie_place place;
    const char *reason;
    *ret_failed = false;
    if (!hsts->by_name || ipc_origin_parse(url, &origin, &reason) < 0 || cookie_place_of(url, &place) < 0)
        return NULL;
    bool plain = ipc_text_is(origin.scheme, "http") || ipc_text_is(origin.scheme, "ws");
    if (!plain || place.is_address || !hsts_covers(hsts, place.host, now_s))
        return NULL;
    char *upgraded = with_tls(url, &origin);
    *ret_failed = !upgraded;
    return upgraded;
}
