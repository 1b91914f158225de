/* The Cookie line. */
#include "cookieline.h"

#include "check.h"

#include <stdbool.h>
#include <string.h>

#define PREFIX "Cookie: "

static bool is_cookie(const struct ipc_pair *header)
{
    return check_name_is(header->name, "cookie");
}

size_t cookieline_bytes(const struct ipc_fetch *fetch)
{
    size_t bytes = sizeof PREFIX;
    for (size_t i = 0; i < fetch->cookies.count; i++)
        bytes += fetch->cookies.items[i].name.length + fetch->cookies.items[i].value.length + 3;
    for (size_t i = 0; i < fetch->headers.count; i++)
        if (is_cookie(&fetch->headers.items[i]))
            bytes += fetch->headers.items[i].value.length + 2;
    return fetch->cookies.count > 0 ? bytes : 0;
}

/* "a=1; b=2" has a cookie of this name. */
static bool names(struct ipc_bytes value, struct ipc_bytes name)
{
    for (size_t at = 0; at < value.length;) {
        while (at < value.length && (value.data[at] == ' ' || value.data[at] == ';'))
            at++;
        size_t left = value.length - at;
        if (left > name.length && memcmp(value.data + at, name.data, name.length) == 0
            && value.data[at + name.length] == '=')
            return true;
        const uint8_t *end = left > 0 ? memchr(value.data + at, ';', left) : NULL;
        at = end ? (size_t)(end - value.data) : value.length;
    }
    return false;
}

static bool client_names(const struct ipc_fetch *fetch, struct ipc_bytes name)
{
    for (size_t i = 0; name.length > 0 && i < fetch->headers.count; i++)
        if (is_cookie(&fetch->headers.items[i]) && names(fetch->headers.items[i].value, name))
            return true;
    return false;
}

static char *add(char *at, struct ipc_bytes bytes)
{
    if (bytes.length > 0)
        memcpy(at, bytes.data, bytes.length);
    return at + bytes.length;
}

static char *add_separator(char *at, const char *first)
{
    if (at == first)
        return at;
    memcpy(at, "; ", 2);
    return at + 2;
}

char *cookieline_write(char *at, const struct ipc_fetch *fetch)
{
    memcpy(at, PREFIX, sizeof PREFIX - 1);
    char *first = at += sizeof PREFIX - 1;
    for (size_t i = 0; i < fetch->cookies.count; i++) {
        const struct ipc_pair *cookie = &fetch->cookies.items[i];
        if (client_names(fetch, cookie->name))
            continue;
        at = add(add_separator(at, first), cookie->name);
        if (cookie->name.length > 0)
            *at++ = '=';
        at = add(at, cookie->value);
    }
    for (size_t i = 0; i < fetch->headers.count; i++)
        if (is_cookie(&fetch->headers.items[i]) && fetch->headers.items[i].value.length > 0)
            at = add(add_separator(at, first), fetch->headers.items[i].value);
    *at++ = '\0';
    return at;
}
