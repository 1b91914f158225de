/* The rules for one cookie. */
#include "cookie.h"

#include "suffix.h"

#include "ipc/origin.h"

#include <string.h>
#include <strings.h>

/* ---- where a request goes ---- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* A name with a dot at its end is the same host, and must not pass for another. False for no host. */
static bool write_host(struct ipc_text host, char ret_host[COOKIE_HOST_BYTES])
{
    if (host.length > 0 && host.data[host.length - 1] == '.')
        host.length--;
    if (host.length == 0 || host.length >= COOKIE_HOST_BYTES)
        return false;
    for (size_t i = 0; i < host.length; i++)
        ret_host[i] = lower(host.data[i]);
    ret_host[host.length] = '\0';
    return true;
}

/* As the URL standard tells IPv4 from names: by the last label (127.1, 0x7f000001). */
static bool is_address(const char *host)
{
    const char *dot = strrchr(host, '.'), *last = dot ? dot + 1 : host;
    if (strchr(host, ':'))
        return true;
    if (last[0] == '0' && last[1] == 'x')
        return last[2 + strspn(last + 2, "0123456789abcdef")] == '\0';
    return last[strspn(last, "0123456789")] == '\0';
}

static bool is_dots(const char *segment, size_t length, size_t dots)
{
    return length == dots && strncmp(segment, "..", dots) == 0;
}

/* RFC 3986, 5.2.4: libcurl asks for the path without its dots. */
static size_t write_path(const char *path, size_t length, char *ret_path)
{
    size_t used = 0;
    if (length == 0) {
        ret_path[0] = '/';
        return 1;
    }
    for (size_t at = 0; at < length;) {
        const char *slash = at + 1 < length ? memchr(path + at + 1, '/', length - at - 1) : NULL;
        size_t end = slash ? (size_t)(slash - path) : length, segment = end - at - 1;
        bool here = is_dots(path + at + 1, segment, 1), up = is_dots(path + at + 1, segment, 2);
        while (up && used > 0 && ret_path[--used] != '/')
            ;
        if (here || up)
            segment = 0;
        if (!(here || up) || end == length) {
            ret_path[used++] = '/';
            memcpy(ret_path + used, path + at + 1, segment);
            used += segment;
        }
        at = end;
    }
    return used;
}

int cookie_place_of(struct ipc_text url, struct cookie_place *ret_place)
{
    struct ipc_origin origin;
    const char *reason, *end = url.data + url.length;
    if (ipc_origin_parse(url, &origin, &reason) < 0 || !write_host(origin.host, ret_place->host)
        || url.length >= sizeof ret_place->path)
        return -1;
    bool plain = ipc_text_is(origin.scheme, "http") || ipc_text_is(origin.scheme, "ws");
    ret_place->secure = ipc_text_is(origin.scheme, "https") || ipc_text_is(origin.scheme, "wss");
    if (!plain && !ret_place->secure)
        return -1;
    ret_place->is_address = is_address(ret_place->host);
    const char *path = origin.host.data + origin.host.length;
    while (path < end && *path != '/' && *path != '?' && *path != '#')
        path++;
    size_t length = 0;
    while (path + length < end && path[length] != '?' && path[length] != '#')
        length++;
    ret_place->path_length = write_path(path, length, ret_place->path);
    return 0;
}

/* ---- matching ---- */

bool cookie_domain_matches(const char *host, bool host_is_address, const char *domain)
{
    size_t host_length = strlen(host), length = strlen(domain);
    if (strcmp(host, domain) == 0)
        return true;
    return !host_is_address && host_length > length && host[host_length - length - 1] == '.'
        && strcmp(host + host_length - length, domain) == 0;
}

bool cookie_path_matches(const char *path, size_t path_length, struct ipc_bytes cookie_path)
{
    size_t length = cookie_path.length;
    if (length == 0 || path_length < length || memcmp(path, cookie_path.data, length) != 0)
        return false;
    return path_length == length || cookie_path.data[length - 1] == '/' || path[length] == '/';
}

/* 5.1.4: up to the last slash, which goes unless it is the only one. */
static struct ipc_bytes default_path(const struct cookie_place *place)
{
    size_t length = place ? place->path_length : 0;
    while (length > 0 && place->path[length - 1] != '/')
        length--;
    if (length <= 1)
        return (struct ipc_bytes){ (const uint8_t *)"/", 1 };
    return (struct ipc_bytes){ (const uint8_t *)place->path, length - 1 };
}

/* ---- what is in it ---- */

/* No control character, and none that would make two cookies of one in a Cookie header, or in a file of
 * Netscape's format (a tab), or that a reader would have trimmed. */
static bool is_written_well(struct ipc_bytes bytes, const char *forbidden)
{
    for (size_t i = 0; i < bytes.length; i++)
        if (bytes.data[i] < 0x20 || bytes.data[i] == 0x7f || strchr(forbidden, bytes.data[i]))
            return false;
    return bytes.length == 0 || (bytes.data[0] != ' ' && bytes.data[bytes.length - 1] != ' ');
}

static bool is_possible(const struct ipc_cookie *given)
{
    size_t length = given->name.length + given->value.length;
    return length > 0 && length <= COOKIE_PAIR_BYTES && given->path.length <= COOKIE_PATH_BYTES
        && given->domain.length < COOKIE_HOST_BYTES && is_written_well(given->name, "=;")
        && is_written_well(given->value, ";") && is_written_well(given->path, ";")
        && (given->path.length == 0 || given->path.data[0] == '/');
}

static bool begins_with(struct ipc_bytes bytes, const char *prefix)
{
    size_t length = strlen(prefix);
    return bytes.length >= length && strncasecmp((const char *)bytes.data, prefix, length) == 0;
}

/* 4.1.3, and 5.7: a cookie without a name must not look like one with such a name. */
static bool keeps_its_prefix(const struct ipc_cookie *record)
{
    bool named = record->name.length > 0;
    struct ipc_bytes seen = named ? record->name : record->value;
    if (begins_with(seen, "__Secure-"))
        return named && record->secure;
    if (begins_with(seen, "__Host-"))
        return named && record->secure && record->host_only && record->path.length == 1;
    return true;
}

/* Nothing but what a host may have; the request's own host was checked by ipc_origin_parse(). */
static bool is_domain(const char *domain)
{
    return domain[strspn(domain, "abcdefghijklmnopqrstuvwxyz0123456789-._:")] == '\0' && domain[0] != '.'
        && !strstr(domain, "..");
}

bool cookie_host_of(struct ipc_text name, char ret_host[COOKIE_HOST_BYTES])
{
    return write_host(name, ret_host) && is_domain(ret_host) && !is_address(ret_host);
}

/* 5.7, 9 and 10 */
static bool settle_domain(const struct cookie_place *place, const struct suffixes *suffixes,
                          struct cookie_checked *checked)
{
    struct ipc_cookie *record = &checked->record;
    const char *domain = checked->domain;
    if (record->domain.length == 0 && !place)
        return false;
    if (record->domain.length == 0) {
        memcpy(checked->domain, place->host, sizeof place->host);
        record->host_only = true;
    } else if (!write_host(record->domain, checked->domain) || !is_domain(domain)) {
        return false;
    } else if (is_address(domain)) {
        record->host_only = true;
    } else if (!record->host_only && suffixes_has(suffixes, domain)) {
        record->host_only = true;
        if (!place || strcmp(domain, place->host) != 0)
            return false;
    }
    record->domain = ipc_text(checked->domain);
    if (!place)
        return true;
    return record->host_only ? strcmp(domain, place->host) == 0
        : cookie_domain_matches(place->host, place->is_address, domain);
}

enum cookie_verdict cookie_check(const struct ipc_cookie *given, const struct cookie_place *place,
                                 const struct suffixes *suffixes, uint64_t now_s,
                                 struct cookie_checked *ret_checked)
{
    struct ipc_cookie *record = &ret_checked->record;
    *record = *given;
    if (!is_possible(given))
        return COOKIE_IMPOSSIBLE;
    if (!settle_domain(place, suffixes, ret_checked) || (record->secure && place && !place->secure))
        return COOKIE_REFUSED;
    if (record->path.length == 0)
        record->path = default_path(place);
    if (record->path.length > COOKIE_PATH_BYTES || !keeps_its_prefix(record))
        return COOKIE_REFUSED;
    if (record->expires_s > now_s + COOKIE_LIFE_S)
        record->expires_s = now_s + COOKIE_LIFE_S;
    return COOKIE_TAKEN;
}
