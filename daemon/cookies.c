/* The cookies of one session. */
#include "cookies.h"

#include "ipc/secret.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct cookie_domain {
    UT_hash_handle handle;
    struct cookie *cookies;
    size_t count;
    char name[];
};

/* ---- memory ---- */

static struct cookie_domain *find_domain(const struct cookies *cookies, const char *name)
{
    struct cookie_domain *domain;
    HASH_FIND(handle, cookies->by_domain, name, strlen(name), domain);
    return domain;
}

static struct cookie_domain *need_domain(struct cookies *cookies, struct ipc_text name)
{
    struct cookie_domain *domain;
    HASH_FIND(handle, cookies->by_domain, name.data, name.length, domain);
    if (domain || !(domain = calloc(1, sizeof *domain + name.length + 1)))
        return domain;
    memcpy(domain->name, name.data, name.length);
    HASH_ADD_KEYPTR(handle, cookies->by_domain, domain->name, name.length, domain);
    return domain;
}

static void drop_domain_if_empty(struct cookies *cookies, struct cookie_domain *domain)
{
    if (domain->cookies)
        return;
    HASH_DELETE(handle, cookies->by_domain, domain);
    free(domain);
}

static struct ipc_bytes copy(uint8_t **at, struct ipc_bytes bytes)
{
    struct ipc_bytes copied = { *at, bytes.length };
    if (bytes.length > 0)
        memcpy(*at, bytes.data, bytes.length);
    *at += bytes.length;
    return copied;
}

static struct cookie *create(const struct ipc_cookie *record)
{
    size_t bytes = sizeof(struct cookie) + record->name.length + record->value.length + record->path.length;
    struct cookie *cookie = ipc_secret_alloc(bytes);
    if (!cookie)
        return NULL;
    uint8_t *at = (uint8_t *)(cookie + 1);
    *cookie = (struct cookie){ .expires_s = record->expires_s, .host_only = record->host_only,
                               .secure = record->secure, .http_only = record->http_only, .bytes = bytes };
    cookie->name = copy(&at, record->name);
    cookie->value = copy(&at, record->value);
    cookie->path = copy(&at, record->path);
    return cookie;
}

static void link_new(struct cookies *cookies, struct cookie_domain *domain, struct cookie *cookie)
{
    cookie->domain = domain;
    cookie->number = ++cookies->last_number;
    cookie->used = ++cookies->last_used;
    DL_APPEND(domain->cookies, cookie);
    DL_APPEND2(cookies->oldest, cookie, older, newer);
    domain->count++;
    cookies->count++;
    *cookies->total_bytes += cookie->bytes;
}

static void destroy(struct cookies *cookies, struct cookie *cookie)
{
    struct cookie_domain *domain = cookie->domain;
    DL_DELETE(domain->cookies, cookie);
    DL_DELETE2(cookies->oldest, cookie, older, newer);
    domain->count--;
    cookies->count--;
    *cookies->total_bytes -= cookie->bytes;
    ipc_secret_free(cookie);
}

static void remove_cookie(struct cookies *cookies, struct cookie *cookie)
{
    struct cookie_domain *domain = cookie->domain;
    destroy(cookies, cookie);
    drop_domain_if_empty(cookies, domain);
}

void cookies_init(struct cookies *cookies, uint64_t *total_bytes)
{
    *cookies = (struct cookies){ .total_bytes = total_bytes };
}

void cookies_clear(struct cookies *cookies)
{
    while (cookies->oldest)
        remove_cookie(cookies, cookies->oldest);
}

void cookies_expire(struct cookies *cookies, uint64_t now_s)
{
    struct cookie *cookie, *next;
    DL_FOREACH_SAFE2(cookies->oldest, cookie, next, newer)
        if (cookie_is_expired(cookie->expires_s, now_s))
            remove_cookie(cookies, cookie);
}

/* ---- taking ---- */

static bool same(struct ipc_bytes a, struct ipc_bytes b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static struct cookie *find_like(const struct cookie_domain *domain, const struct ipc_cookie *record)
{
    struct cookie *cookie;
    if (domain)
        DL_FOREACH(domain->cookies, cookie)
            if (cookie->host_only == record->host_only && same(cookie->name, record->name)
                && same(cookie->path, record->path))
                return cookie;
    return NULL;
}

/* 5.7, 16: without TLS none may overlay a Secure cookie of the same name: not one of this domain, of one
 * above, or of one below, where the path is the same or further up. */
static bool overlays_secure(const struct cookies *cookies, const struct ipc_cookie *record, const char *name,
                            uint64_t now_s)
{
    const struct cookie *cookie;
    DL_FOREACH2(cookies->oldest, cookie, newer) {
        const char *other = cookie->domain->name;
        bool related = cookie_domain_matches(other, false, name) || cookie_domain_matches(name, false, other);
        if (cookie->secure && related && !cookie_is_expired(cookie->expires_s, now_s)
            && same(cookie->name, record->name)
            && cookie_path_matches((const char *)record->path.data, record->path.length, cookie->path))
            return true;
    }
    return false;
}

/* Whether `a` goes before `b` when one must. */
static bool goes_first(const struct cookie *a, const struct cookie *b, bool spare_secure, uint64_t now_s)
{
    bool a_expired = cookie_is_expired(a->expires_s, now_s);
    bool b_expired = cookie_is_expired(b->expires_s, now_s);
    if (a_expired != b_expired)
        return a_expired;
    if (spare_secure && a->secure != b->secure)
        return b->secure;
    return a->used < b->used;
}

static void evict_of_domain(struct cookies *cookies, struct cookie_domain *domain, uint64_t now_s)
{
    struct cookie *cookie, *victim = domain->cookies;
    DL_FOREACH(domain->cookies, cookie)
        if (goes_first(cookie, victim, true, now_s))
            victim = cookie;
    destroy(cookies, victim);
}

static void evict_of_all(struct cookies *cookies, uint64_t now_s)
{
    struct cookie *cookie, *victim = cookies->oldest;
    DL_FOREACH2(cookies->oldest, cookie, newer)
        if (goes_first(cookie, victim, false, now_s))
            victim = cookie;
    remove_cookie(cookies, victim);
}

/* 5.7: what else must go for it. The user's other sessions are not touched: without room, it is not kept. */
static bool make_room(struct cookies *cookies, struct ipc_text name, size_t bytes,
                      const struct cookies_limits *limits, uint64_t now_s)
{
    char key[COOKIE_HOST_BYTES];
    memcpy(key, name.data, name.length);
    key[name.length] = '\0';
    struct cookie_domain *domain = find_domain(cookies, key);
    while (domain && domain->count >= limits->of_domain)
        evict_of_domain(cookies, domain, now_s);
    if (domain)
        drop_domain_if_empty(cookies, domain);
    while (cookies->count >= limits->count
           || (cookies->count > 0 && *cookies->total_bytes + bytes > limits->bytes))
        evict_of_all(cookies, now_s);
    return *cookies->total_bytes + bytes <= limits->bytes;
}

/* 5.7, 17: it takes the other's place, and with it its time of creation. */
static void replace(struct cookies *cookies, struct cookie *old, struct cookie *cookie)
{
    struct cookie_domain *domain = old->domain;
    cookie->domain = domain;
    cookie->number = old->number;
    cookie->used = ++cookies->last_used;
    DL_REPLACE_ELEM(domain->cookies, old, cookie);
    DL_REPLACE_ELEM2(cookies->oldest, old, cookie, older, newer);
    *cookies->total_bytes += cookie->bytes - old->bytes;
    ipc_secret_free(old);
}

static bool add(struct cookies *cookies, const struct ipc_cookie *record, const struct cookies_limits *limits,
                uint64_t now_s)
{
    struct cookie *cookie = create(record);
    struct cookie_domain *domain = NULL;
    if (cookie && make_room(cookies, record->domain, cookie->bytes, limits, now_s))
        domain = need_domain(cookies, record->domain);
    if (!domain) {
        ipc_secret_free(cookie);
        return false;
    }
    link_new(cookies, domain, cookie);
    return true;
}

bool cookies_put(struct cookies *cookies, const struct ipc_cookie *record, bool from_secure,
                 const struct cookies_limits *limits, uint64_t now_s)
{
    char name[COOKIE_HOST_BYTES];
    memcpy(name, record->domain.data, record->domain.length);
    name[record->domain.length] = '\0';
    if (!from_secure && overlays_secure(cookies, record, name, now_s))
        return false;
    struct cookie *old = find_like(find_domain(cookies, name), record);
    bool expired = cookie_is_expired(record->expires_s, now_s);
    struct cookie *cookie = old && !expired ? create(record) : NULL;
    if (cookie && *cookies->total_bytes - old->bytes + cookie->bytes <= limits->bytes) {
        replace(cookies, old, cookie);
        return true;
    }
    ipc_secret_free(cookie);
    if (old)
        remove_cookie(cookies, old);
    return expired ? old != NULL : add(cookies, record, limits, now_s);
}

/* ---- sending ---- */

bool cookie_is_for(const struct cookie *cookie, const struct cookie_place *place)
{
    const char *domain = cookie->domain->name;
    bool host = cookie->host_only ? strcmp(place->host, domain) == 0
        : cookie_domain_matches(place->host, place->is_address, domain);
    return host && (place->secure || !cookie->secure)
        && cookie_path_matches(place->path, place->path_length, cookie->path);
}

struct found { struct cookie *items[COOKIES_SENT_MOST]; size_t count; };

static bool comes_before(const struct cookie *a, const struct cookie *b)
{
    if (a->path.length != b->path.length)
        return a->path.length > b->path.length;
    return a->number < b->number;
}

/* Keeps the first so many in order. */
static void insert(struct found *found, struct cookie *cookie)
{
    size_t at = found->count;
    while (at > 0 && comes_before(cookie, found->items[at - 1]))
        at--;
    if (at == COOKIES_SENT_MOST)
        return;
    size_t last = found->count < COOKIES_SENT_MOST ? found->count++ : COOKIES_SENT_MOST - 1;
    memmove(&found->items[at + 1], &found->items[at], (last - at) * sizeof found->items[0]);
    found->items[at] = cookie;
}

static void find_in(struct found *found, const struct cookies *cookies, const char *name,
                    const struct cookie_place *place, uint64_t now_s)
{
    struct cookie_domain *domain = find_domain(cookies, name);
    struct cookie *cookie;
    if (domain)
        DL_FOREACH(domain->cookies, cookie)
            if (!cookie_is_expired(cookie->expires_s, now_s) && cookie_is_for(cookie, place))
                insert(found, cookie);
}

size_t cookies_pick(struct cookies *cookies, const struct cookie_place *place, uint64_t now_s,
                    struct ipc_pair *ret_pairs)
{
    struct found found = { .count = 0 };
    size_t count = 0, bytes = 0;
    for (const char *name = place->host; name; name = strchr(name, '.')) {
        name += *name == '.';
        find_in(&found, cookies, name, place, now_s);
    }
    for (size_t i = 0; i < found.count; i++) {
        struct cookie *cookie = found.items[i];
        bytes += cookie->name.length + cookie->value.length + 3;   /* "=" and "; " */
        if (bytes > COOKIES_SENT_BYTES)
            break;
        cookie->used = ++cookies->last_used;
        ret_pairs[count++] = (struct ipc_pair){ cookie->name, cookie->value };
    }
    return count;
}

/* ---- reading ---- */

const struct cookie *cookies_from(const struct cookies *cookies, uint64_t number, uint64_t now_s)
{
    const struct cookie *cookie = cookies->oldest;
    while (cookie && (cookie->number < number || cookie_is_expired(cookie->expires_s, now_s)))
        cookie = cookie->newer;
    return cookie;
}

const struct cookie *cookies_after(const struct cookie *cookie, uint64_t now_s)
{
    do {
        cookie = cookie->newer;
    } while (cookie && cookie_is_expired(cookie->expires_s, now_s));
    return cookie;
}

struct ipc_cookie cookie_record(const struct cookie *cookie)
{
    return (struct ipc_cookie){
        .name = cookie->name, .value = cookie->value, .domain = ipc_text(cookie->domain->name),
        .path = cookie->path, .expires_s = cookie->expires_s, .host_only = cookie->host_only,
        .secure = cookie->secure, .http_only = cookie->http_only,
    };
}
