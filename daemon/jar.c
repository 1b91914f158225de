/* A user's session: cookies and HSTS. */
#include "jar.h"

#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

bool jar_name_is_fine(struct ipc_text name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i] | 0x20;
        bool plain = (c >= 'a' && c <= 'z') || (name.data[i] >= '0' && name.data[i] <= '9');
        if (!plain && !memchr("._-", name.data[i], 3))
            return false;
    }
    return name.length > 0 && name.length < JAR_NAME_BYTES && name.data[0] != '.';
}

struct jar *jars_create(struct jars *jars, struct ipc_text name, bool persistent, uint64_t now_s)
{
    static uint32_t made;
    struct jar *jar = calloc(1, sizeof *jar);
    if (!jar)
        return NULL;
    memcpy(jar->name, name.data, name.length);
    jar->number = ++made;
    jar->jars = jars;
    jar->persistent = jar->dirty = persistent;
    jar->used_s = now_s;
    cookies_init(&jar->cookies, &jars->bytes);
    hsts_init(&jar->hsts, &jars->bytes);
    HASH_ADD_KEYPTR(handle, jars->by_name, jar->name, name.length, jar);
    return jar;
}

struct jar *jars_find(const struct jars *jars, struct ipc_text name)
{
    struct jar *jar;
    HASH_FIND(handle, jars->by_name, name.data, name.length, jar);
    return jar;
}

size_t jars_count(const struct jars *jars)
{
    return HASH_CNT(handle, jars->by_name);
}

void jars_finish(struct jars *jars)
{
    while (jars->by_name)
        jar_remove(jars->by_name);
}

void jar_free_unused(struct jar *jar)
{
    if (jar->removed && jar->requests == 0 && !jar->saving)
        free(jar);
}

void jar_remove(struct jar *jar)
{
    cookies_clear(&jar->cookies);
    hsts_clear(&jar->hsts);
    HASH_DELETE(handle, jar->jars->by_name, jar);
    jar->removed = true;
    jar_free_unused(jar);
}

void jar_hold(struct jar *jar)
{
    jar->requests++;
}

void jar_release(struct jar *jar, uint64_t now_s)
{
    jar->requests--;
    jar->used_s = now_s;
    jar_free_unused(jar);
}

/* ---- requests ---- */

size_t jar_pick(struct jar *jar, struct ipc_text url, const struct jar_rules *rules,
                struct ipc_pair *ret_pairs)
{
    struct cookie_place place;
    if (cookie_place_of(url, &place) < 0)
        return 0;
    return cookies_pick(&jar->cookies, &place, rules->now_s, ret_pairs);
}

/* False when no worker that reads Set-Cookie would say that. */
static bool take_cookie(struct jar *jar, const struct ipc_cookie *cookie, const struct cookie_place *place,
                        const struct jar_rules *rules)
{
    struct cookie_checked checked;
    switch (cookie_check(cookie, place, rules->suffixes, rules->now_s, &checked)) {
    case COOKIE_TAKEN:
        cookies_put(&jar->cookies, &checked.record, place->secure, &rules->limits, rules->now_s);
        jar->dirty = true;
        return true;
    case COOKIE_REFUSED:
        return true;
    case COOKIE_IMPOSSIBLE:
        return false;
    }
    return false;
}

const char *jar_take(struct jar *jar, struct ipc_text url, const struct ipc_cookie *cookies, size_t count,
                     const struct ipc_hsts *hsts, bool trusted_tls, const struct jar_rules *rules)
{
    struct cookie_place place;
    if (jar->removed || (count == 0 && !hsts) || cookie_place_of(url, &place) < 0)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!take_cookie(jar, &cookies[i], &place, rules))
            return "a cookie that no Set-Cookie can make";
    /* 8.1: not without TLS, nor with a certificate that was not verified; nor for an address (8.1.1). */
    if (hsts && place.secure && trusted_tls && !place.is_address) {
        hsts_note(&jar->hsts, place.host, hsts, &rules->hsts, rules->now_s);
        jar->dirty = true;
    }
    return NULL;
}

/* ---- the user's own word ---- */

bool jar_put_cookie(struct jar *jar, const struct ipc_cookie *record, const struct jar_rules *rules)
{
    struct cookie_checked checked;
    if (cookie_check(record, NULL, rules->suffixes, rules->now_s, &checked) != COOKIE_TAKEN)
        return false;
    jar->dirty = true;
    return cookies_put(&jar->cookies, &checked.record, true, &rules->limits, rules->now_s);
}

bool jar_put_hsts(struct jar *jar, const struct ipc_hsts *record, const struct jar_rules *rules)
{
    char name[COOKIE_HOST_BYTES];
    if (!cookie_host_of(record->host, name))
        return false;
    jar->dirty = true;
    return hsts_note(&jar->hsts, name, record, &rules->hsts, rules->now_s);
}
