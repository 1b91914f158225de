/* A strict reader of URLs: scheme://[userinfo@]host[:port][/...][?...][#...]. */
#include "origin.h"

#include "digits.h"

#include <stdio.h>
#include <string.h>

static const struct { const char *name; unsigned port; } schemes[] = {
    { "https", 443 }, { "http", 80 }, { "wss", 443 }, { "ws", 80 }, { "ftp", 21 }, { "ftps", 990 },
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_host_char(char c)
{
    c = lower(c);
    return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '.' || c == '_';
}

static bool is_address6_char(char c)
{
    c = lower(c);
    return (c >= 'a' && c <= 'f') || is_digit(c) || c == ':' || c == '.';
}

/* RFC 3986 allows less in a URL, but everyone sends a little more; controls, spaces, DEL and
 * backslashes are where parsers disagree, and so is everything above ASCII. */
static const char *check_characters(struct ipc_text url)
{
    if (url.length > IPC_URL_BYTES)
        return "the URL is longer than 32760 bytes";
    for (size_t i = 0; i < url.length; i++) {
        unsigned char c = (unsigned char)url.data[i];
        if (c > 0x20 && c < 0x7f && c != '\\')
            continue;
        if (c <= 0x20 || c == 0x7f)
            return "the URL holds a space or a control character; percent-encode it";
        if (c >= 0x80)
            return "the URL holds a character above ASCII; percent-encode it (a host: punycode)";
        return "the URL holds a backslash; percent-encode it";
    }
    return NULL;
}

static const char *read_scheme(struct ipc_text url, struct ipc_origin *origin, size_t *ret_used)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t length = strlen(schemes[i].name), k = 0;
        while (k < length && k < url.length && lower(url.data[k]) == schemes[i].name[k])
            k++;
        if (k < length || url.length < length + 3 || memcmp(url.data + length, "://", 3) != 0)
            continue;
        origin->scheme = ipc_text(schemes[i].name);
        origin->port = schemes[i].port;
        *ret_used = length + 3;
        return NULL;
    }
    if (!memmem(url.data, url.length, "://", 3))
        return "the URL has no scheme: it begins with https://, http://, wss://, ws://, ftp:// or ftps://";
    return "the URL's scheme is not one of https, http, wss, ws, ftp, ftps";
}

static const char *read_host(struct ipc_text *authority, struct ipc_origin *origin)
{
    const char *at = authority->data, *end = at + authority->length, *stop = at;
    if (at < end && *at == '[') {
        const char *close = memchr(at, ']', (size_t)(end - at));
        for (stop = at + 1; close && stop < close; stop++)
            if (!is_address6_char(*stop))
                return "the URL's IPv6 address has a character that does not belong there";
        if (!close || stop == at + 1)
            return "the URL's IPv6 address does not end with ]";
        origin->host = (struct ipc_text){ at + 1, (size_t)(close - at - 1) };
        stop = close + 1;
    } else {
        while (stop < end && is_host_char(*stop))
            stop++;
        origin->host = (struct ipc_text){ at, (size_t)(stop - at) };
        if (stop == at)
            return "the URL has no host";
    }
    if (origin->host.length > 253)
        return "the URL's host is longer than 253 bytes";
    *authority = (struct ipc_text){ stop, (size_t)(end - stop) };
    return NULL;
}

static const char *read_port(struct ipc_text rest, struct ipc_origin *origin)
{
    if (rest.length == 0)
        return NULL;
    if (rest.data[0] != ':')
        return "the URL's host has a character that does not belong there";
    if (rest.length == 1)
        return NULL;
    unsigned port = 0;
    for (size_t i = 1; i < rest.length; i++) {
        if (!is_digit(rest.data[i]) || (port = port * 10 + (unsigned)(rest.data[i] - '0')) > 65535)
            return "the URL's port is not a number up to 65535";
    }
    if (port == 0)
        return "the URL's port is 0";
    origin->port = port;
    return NULL;
}

static char *write_lower(char *at, struct ipc_text text)
{
    for (size_t i = 0; i < text.length; i++)
        *at++ = lower(text.data[i]);
    return at;
}

/* scheme://host:port, at most 5 + 3 + 255 + 1 + 5 bytes. */
static void write_key(struct ipc_origin *origin)
{
    bool brackets = origin->host.length > 0 && memchr(origin->host.data, ':', origin->host.length);
    char *at = write_lower(origin->key, origin->scheme);
    at = write_lower(at, brackets ? IPC_TEXT("://[") : IPC_TEXT("://"));
    at = write_lower(at, origin->host);
    at = write_lower(at, brackets ? IPC_TEXT("]:") : IPC_TEXT(":"));
    *ipc_digits(at, origin->port) = '\0';
}

static size_t authority_length(const char *at, size_t left)
{
    size_t length = 0;
    while (length < left && at[length] != '/' && at[length] != '?' && at[length] != '#')
        length++;
    return length;
}

int ipc_origin_parse(struct ipc_text url, struct ipc_origin *ret_origin, const char **ret_reason)
{
    struct ipc_origin origin = { .port = 0 };
    size_t used = 0;
    const char *wrong = check_characters(url);
    if (!wrong)
        wrong = read_scheme(url, &origin, &used);
    if (!wrong) {
        struct ipc_text rest = { url.data + used, authority_length(url.data + used, url.length - used) };
        const char *at = rest.length > 0 ? memchr(rest.data, '@', rest.length) : NULL;
        for (size_t i = at ? rest.length : 0; i > 0; i--) {
            if (rest.data[i - 1] != '@')
                continue;
            origin.userinfo = (struct ipc_text){ rest.data, i - 1 };
            rest = (struct ipc_text){ rest.data + i, rest.length - i };
            break;
        }
        wrong = memchr(origin.userinfo.data ? origin.userinfo.data : "", '@', origin.userinfo.length)
            ? "the URL has more than one @ before its host; percent-encode those of the password" : NULL;
        if (!wrong)
            wrong = read_host(&rest, &origin);
        if (!wrong)
            wrong = read_port(rest, &origin);
    }
    if (wrong) {
        *ret_reason = wrong;
        return -1;
    }
    write_key(&origin);
    *ret_origin = origin;
    return 0;
}

void ipc_origin_log_url(struct ipc_text url, char *ret_text, size_t size)
{
    struct ipc_origin origin;
    const char *reason;
    if (ipc_origin_parse(url, &origin, &reason) < 0) {
        snprintf(ret_text, size, "(unreadable URL)");
        return;
    }
    const char *path = origin.host.data + origin.host.length, *end = url.data + url.length;
    while (path < end && *path != '/' && *path != '?' && *path != '#')
        path++;
    size_t length = 0;
    while (path + length < end && path[length] != '?' && path[length] != '#')
        length++;
    snprintf(ret_text, size, "%s%.*s", origin.key, (int)(length < 4096 ? length : 4096), path);
}
