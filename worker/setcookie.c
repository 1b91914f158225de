/* Set-Cookie. */
#include "setcookie.h"

#include "blank.h"
#include "check.h"
#include "cookiedate.h"

#include <string.h>

#define PAIR_BYTES 4096
#define ATTRIBUTE_BYTES 1024
#define DOMAIN_BYTES 253
#define LONGEST_S ((uint64_t)400 * 24 * 3600)
#define LONG_AGO_S 1          /* a time in the past that is not 0 */

/* What the attributes say; the last of each name counts. */
struct attributes {
    struct ipc_bytes domain, path;
    bool has_expires, has_max_age;
    uint64_t expires_s, max_age_s;
};

/* What stands before `mark`, or all; *rest becomes what stands behind it. True when it was there. */
static bool split(struct ipc_bytes *rest, char mark, struct ipc_bytes *ret_before)
{
    const uint8_t *at = rest->length > 0 ? memchr(rest->data, mark, rest->length) : NULL;
    size_t length = at ? (size_t)(at - rest->data) : rest->length;
    *ret_before = (struct ipc_bytes){ rest->data, length };
    rest->data += at ? length + 1 : length;
    rest->length -= at ? length + 1 : length;
    return at != NULL;
}

static bool has_control(struct ipc_bytes bytes, bool tabs_too)
{
    for (size_t i = 0; i < bytes.length; i++)
        if ((bytes.data[i] < 0x20 && (tabs_too || bytes.data[i] != '\t')) || bytes.data[i] == 0x7f)
            return true;
    return false;
}

/* ---- attributes ---- */

static uint64_t capped(uint64_t life_s)
{
    return life_s < LONGEST_S ? life_s : LONGEST_S;
}

static void take_expires(struct attributes *attributes, struct ipc_bytes value, uint64_t now_s)
{
    uint64_t expires_s;
    if (!cookiedate_read(value, &expires_s))
        return;
    attributes->has_expires = true;
    attributes->expires_s = expires_s > now_s ? now_s + capped(expires_s - now_s) : LONG_AGO_S;
}

/* 5.6.2: digits, perhaps behind a minus. */
static void take_max_age(struct attributes *attributes, struct ipc_bytes value, uint64_t now_s)
{
    bool negative = value.length > 0 && value.data[0] == '-';
    uint64_t age_s = 0;
    if (value.length == negative)
        return;
    for (size_t i = negative; i < value.length; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return;
        age_s = capped(age_s * 10 + (uint64_t)(value.data[i] - '0'));
    }
    attributes->has_max_age = true;
    attributes->max_age_s = negative || age_s == 0 ? LONG_AGO_S : now_s + age_s;
}

static void take_domain(struct attributes *attributes, struct ipc_bytes value)
{
    if (value.length > 0 && value.data[0] == '.') {
        value.data++;
        value.length--;
    }
    attributes->domain = value;
}

static void take_attribute(struct attributes *attributes, struct ipc_cookie *cookie, struct ipc_bytes text,
                           uint64_t now_s)
{
    struct ipc_bytes name, value = text;
    split(&value, '=', &name);
    name = blank_trim(name);
    value = blank_trim(value);
    if (value.length > ATTRIBUTE_BYTES)
        return;
    if (check_name_is(name, "expires"))
        take_expires(attributes, value, now_s);
    else if (check_name_is(name, "max-age"))
        take_max_age(attributes, value, now_s);
    else if (check_name_is(name, "domain"))
        take_domain(attributes, value);
    else if (check_name_is(name, "path"))
        attributes->path = value;
    else if (check_name_is(name, "secure"))
        cookie->secure = true;
    else if (check_name_is(name, "httponly"))
        cookie->http_only = true;
}

/* A domain that is no host name can't match any. */
static bool is_domain(struct ipc_bytes domain)
{
    for (size_t i = 0; i < domain.length; i++) {
        uint8_t c = domain.data[i] | 0x20;
        bool plain = (c >= 'a' && c <= 'z') || (domain.data[i] >= '0' && domain.data[i] <= '9');
        if (!plain && !memchr("-._:", domain.data[i], 4))
            return false;
    }
    return domain.length <= DOMAIN_BYTES;
}

static bool settle(const struct attributes *attributes, struct ipc_cookie *cookie)
{
    struct ipc_bytes path = attributes->path;
    if (!is_domain(attributes->domain) || has_control(path, true))
        return false;
    cookie->domain = (struct ipc_text){ (const char *)attributes->domain.data, attributes->domain.length };
    if (path.length > 0 && path.data[0] == '/')
        cookie->path = path;
    if (attributes->has_max_age)
        cookie->expires_s = attributes->max_age_s;
    else if (attributes->has_expires)
        cookie->expires_s = attributes->expires_s;
    return true;
}

/* ---- the whole ---- */

/* A tab within name or value is allowed there; we drop such a cookie, as curl does: no file of Netscape's
 * format could hold it. */
bool setcookie_read(struct ipc_bytes value, uint64_t now_s, struct ipc_cookie *ret_cookie)
{
    struct ipc_cookie cookie = { .expires_s = 0 };
    struct attributes attributes = { .has_expires = false };
    struct ipc_bytes pair, name = { NULL, 0 }, text;
    if (has_control(value, false))
        return false;
    bool more = split(&value, ';', &pair);
    if (pair.length > 0 && memchr(pair.data, '=', pair.length))
        split(&pair, '=', &name);
    cookie.name = blank_trim(name);
    cookie.value = blank_trim(pair);
    size_t length = cookie.name.length + cookie.value.length;
    if (length == 0 || length > PAIR_BYTES || has_control(cookie.name, true)
        || has_control(cookie.value, true))
        return false;
    while (more) {
        more = split(&value, ';', &text);
        take_attribute(&attributes, &cookie, text, now_s);
    }
    if (!settle(&attributes, &cookie))
        return false;
    *ret_cookie = cookie;
    return true;
}

size_t setcookie_collect(struct ipc_pairs headers, uint64_t now_s,
                         struct ipc_cookie ret_cookies[SETCOOKIE_MOST])
{
    size_t count = 0;
    for (size_t i = 0; i < headers.count && count < SETCOOKIE_MOST; i++)
        if (check_name_is(headers.items[i].name, "set-cookie")
            && setcookie_read(headers.items[i].value, now_s, &ret_cookies[count]))
            count++;
    return count;
}
