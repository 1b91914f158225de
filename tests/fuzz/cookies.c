/* An origin that sets anything, at any URL: what the worker's reader makes of it the daemon never takes for a
 * lie, what is kept is for that host, and what is sent holds nothing that would be more than a cookie. The
 * input's lines: a URL, another URL, then values of Set-Cookie; the second URL asks. Each line is also a
 * record that a worker says. */
#include "target.h"

#include "daemon/jar.h"
#include "daemon/suffix.h"
#include "worker/hsts.h"
#include "worker/setcookie.h"

#include <string.h>

#define NOW 1000000000u

static struct ipc_text take_line(const char **at, const char *end)
{
    const char *newline = memchr(*at, '\n', (size_t)(end - *at)), *stop = newline ? newline : end;
    struct ipc_text line = { *at, (size_t)(stop - *at) };
    *at = newline ? newline + 1 : end;
    return line;
}

static void check_taken(const struct cookie_checked *checked, const struct cookie_place *place)
{
    const struct ipc_cookie *record = &checked->record;
    HOLDS(record->domain.length > 0 && record->domain.length < COOKIE_HOST_BYTES);
    HOLDS(record->path.length > 0 && record->path.data[0] == '/');
    HOLDS(record->expires_s <= NOW + COOKIE_LIFE_S);
    HOLDS(cookie_domain_matches(place->host, place->is_address, checked->domain));
    HOLDS(!record->host_only || strcmp(place->host, checked->domain) == 0);
    HOLDS(!record->secure || place->secure);
}

static void set(struct jar *jar, const struct ipc_cookie *record, const struct cookie_place *place,
                const struct jar_rules *rules, bool by_reader)
{
    struct cookie_checked checked;
    enum cookie_verdict verdict = cookie_check(record, place, rules->suffixes, rules->now_s, &checked);
    HOLDS(!by_reader || verdict != COOKIE_IMPOSSIBLE);
    if (verdict != COOKIE_TAKEN)
        return;
    check_taken(&checked, place);
    cookies_put(&jar->cookies, &checked.record, place->secure, &rules->limits, rules->now_s);
    HOLDS(jar->cookies.count <= rules->limits.count && jar->jars->bytes <= rules->limits.bytes);
}

/* The first third of a line is a name, the second a value, the rest a domain. */
static struct ipc_cookie cut(struct ipc_text line)
{
    size_t third = line.length / 3;
    const uint8_t *data = (const uint8_t *)line.data;
    return (struct ipc_cookie){ .name = { data, third }, .value = { data + third, third },
                                .domain = { line.data + 2 * third, line.length - 2 * third } };
}

static void take_values(struct jar *jar, const char *at, const char *end, const struct cookie_place *place,
                        const struct jar_rules *rules)
{
    while (at < end) {
        struct ipc_text line = take_line(&at, end);
        struct ipc_pair header = { { (const uint8_t *)"strict-transport-security", 25 },
                                   { (const uint8_t *)line.data, line.length } };
        struct ipc_cookie cookie = cut(line);
        struct ipc_hsts hsts;
        set(jar, &cookie, place, rules, false);
        if (setcookie_read(header.value, rules->now_s, &cookie))
            set(jar, &cookie, place, rules, true);
        if (hsts_read((struct ipc_pairs){ &header, 1 }, rules->now_s, &hsts) && !place->is_address)
            hsts_note(&jar->hsts, place->host, &hsts, &rules->hsts, rules->now_s);
    }
}

static void ask(struct jar *jar, struct ipc_text url, const struct jar_rules *rules)
{
    static struct cookie_place there;
    struct ipc_pair pairs[COOKIES_SENT_MOST];
    bool failed;
    if (cookie_place_of(url, &there) < 0)
        return;
    size_t count = jar_pick(jar, url, rules, pairs);
    HOLDS(count <= COOKIES_SENT_MOST);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < pairs[i].value.length; k++)
            HOLDS(pairs[i].value.data[k] >= 0x20 && pairs[i].value.data[k] != ';');
    const struct cookie *cookie = cookies_from(&jar->cookies, 0, rules->now_s);
    for (; cookie; cookie = cookies_after(cookie, rules->now_s))
        HOLDS(!cookie_is_for(cookie, &there) || !cookie->secure || there.secure);
    char *upgraded = hsts_upgrade(&jar->hsts, url, rules->now_s, &failed);
    HOLDS(!upgraded || (!there.secure && cookie_place_of(ipc_text(upgraded), &there) == 0 && there.secure));
    free(upgraded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct suffixes *suffixes;
    static struct cookie_place place;
    const char *at = (const char *)data, *end = at + size;
    suffixes = suffixes ? suffixes : suffixes_open();
    struct ipc_text url = take_line(&at, end), other = take_line(&at, end);
    struct jar_rules rules = { suffixes, { 8, 4, 4000 }, { 2, 4000 }, NOW };
    struct jars jars = { NULL, 0, 0 };
    if (!suffixes || cookie_place_of(url, &place) < 0)
        return 0;
    struct jar *jar = jars_create(&jars, IPC_TEXT("s"), false, NOW);
    if (!jar)
        return 0;
    take_values(jar, at, end, &place, &rules);
    ask(jar, url, &rules);
    ask(jar, other, &rules);
    jars_finish(&jars);
    HOLDS(jars.bytes == 0);
    return 0;
}
