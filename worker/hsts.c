/* Strict-Transport-Security. */
#include "hsts.h"

#include "blank.h"
#include "check.h"

#include <string.h>

#define LONGEST_S ((uint64_t)10 * 366 * 24 * 3600)

struct directives { bool has_max_age, subdomains, broken; uint64_t max_age_s; };

/* 6.1.1: digits, perhaps quoted. */
static bool read_seconds(struct ipc_bytes value, uint64_t *ret_seconds)
{
    uint64_t seconds = 0;
    if (value.length >= 2 && value.data[0] == '"' && value.data[value.length - 1] == '"')
        value = (struct ipc_bytes){ value.data + 1, value.length - 2 };
    for (size_t i = 0; i < value.length; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
        seconds = seconds * 10 + (uint64_t)(value.data[i] - '0');
        if (seconds > LONGEST_S)
            seconds = LONGEST_S;
    }
    *ret_seconds = seconds;
    return value.length > 0;
}

/* 6.1: one that stands twice makes the whole field void. Unknown ones are ignored. */
static void take(struct directives *directives, struct ipc_bytes text)
{
    const uint8_t *equals = text.length > 0 ? memchr(text.data, '=', text.length) : NULL;
    size_t length = equals ? (size_t)(equals - text.data) : text.length;
    struct ipc_bytes name = blank_trim((struct ipc_bytes){ text.data, length }), value = { NULL, 0 };
    if (equals)
        value = blank_trim((struct ipc_bytes){ equals + 1, text.length - length - 1 });
    if (check_name_is(name, "max-age")) {
        directives->broken |= directives->has_max_age || !read_seconds(value, &directives->max_age_s);
        directives->has_max_age = true;
    } else if (check_name_is(name, "includesubdomains")) {
        directives->broken |= directives->subdomains || equals;
        directives->subdomains = true;
    }
}

static bool read_field(struct ipc_bytes field, uint64_t now_s, struct ipc_hsts *ret_hsts)
{
    struct directives directives = { .has_max_age = false };
    for (size_t at = 0; at < field.length;) {
        const uint8_t *end = memchr(field.data + at, ';', field.length - at);
        size_t length = end ? (size_t)(end - field.data) - at : field.length - at;
        take(&directives, (struct ipc_bytes){ field.data + at, length });
        at += length + 1;
    }
    if (!directives.has_max_age || directives.broken)
        return false;
    *ret_hsts = (struct ipc_hsts){ .subdomains = directives.subdomains,
                                   .expires_s = directives.max_age_s ? now_s + directives.max_age_s : 1 };
    return true;
}

bool hsts_read(struct ipc_pairs headers, uint64_t now_s, struct ipc_hsts *ret_hsts)
{
    for (size_t i = 0; i < headers.count; i++)
        if (check_name_is(headers.items[i].name, "strict-transport-security"))
            return read_field(headers.items[i].value, now_s, ret_hsts);
    return false;
}
