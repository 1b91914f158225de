/* domain, "TRUE" when for those below it too, path, "TRUE" when secure, Unix time, name, value. */
#include "netscape.h"

#include <inttypes.h>
#include <string.h>

#define FIELDS 7
#define HTTP_ONLY "#HttpOnly_"

bool netscape_next_line(struct ipc_bytes *text, struct ipc_bytes *ret_line)
{
    const uint8_t *end = text->length > 0 ? memchr(text->data, '\n', text->length) : NULL;
    size_t length = end ? (size_t)(end - text->data) : text->length;
    if (text->length == 0)
        return false;
    *ret_line = (struct ipc_bytes){ text->data, length };
    text->data += length + (end != NULL);
    text->length -= length + (end != NULL);
    while (ret_line->length > 0 && ret_line->data[ret_line->length - 1] == '\r')
        ret_line->length--;
    return true;
}

static bool starts_with(struct ipc_bytes bytes, const char *start)
{
    size_t length = strlen(start);
    return bytes.length >= length && memcmp(bytes.data, start, length) == 0;
}

static bool is(struct ipc_bytes field, const char *word)
{
    return field.length == strlen(word) && starts_with(field, word);
}

static size_t split(struct ipc_bytes line, struct ipc_bytes fields[FIELDS])
{
    size_t count = 0;
    while (count < FIELDS) {
        const uint8_t *tab =
            line.length > 0 && count < FIELDS - 1 ? memchr(line.data, '\t', line.length) : NULL;
        size_t length = tab ? (size_t)(tab - line.data) : line.length;
        fields[count++] = (struct ipc_bytes){ line.data, length };
        if (!tab)
            break;
        line.data += length + 1;
        line.length -= length + 1;
    }
    return count;
}

/* Digits, perhaps with a fraction, which some tools write; a time before 1970 is one long past. */
static bool read_time(struct ipc_bytes field, uint64_t *ret_time_s)
{
    uint64_t time_s = 0;
    size_t at = 0;
    bool negative = starts_with(field, "-");
    for (at = negative; at < field.length && field.data[at] >= '0' && field.data[at] <= '9'; at++)
        if (time_s < UINT64_MAX / 20)
            time_s = time_s * 10 + (uint64_t)(field.data[at] - '0');
    *ret_time_s = negative && time_s > 0 ? 1 : time_s;
    return at > (size_t)negative && (at == field.length || field.data[at] == '.');
}

/* curl and others leave out an empty value with its tab. */
bool netscape_read(struct ipc_bytes line, struct ipc_cookie *ret_cookie)
{
    struct ipc_bytes fields[FIELDS] = { { NULL, 0 } };
    struct ipc_cookie cookie = { .http_only = starts_with(line, HTTP_ONLY) };
    if (cookie.http_only) {
        line.data += sizeof HTTP_ONLY - 1;
        line.length -= sizeof HTTP_ONLY - 1;
    } else if (starts_with(line, "#")) {
        return false;
    }
    if (split(line, fields) < FIELDS - 1 || !read_time(fields[4], &cookie.expires_s))
        return false;
    struct ipc_bytes domain = fields[0];
    if (starts_with(domain, ".")) {
        domain.data++;
        domain.length--;
    }
    cookie.domain = (struct ipc_text){ (const char *)domain.data, domain.length };
    cookie.host_only = !is(fields[1], "TRUE");
    cookie.path = fields[2];
    cookie.secure = is(fields[3], "TRUE");
    cookie.name = fields[5];
    cookie.value = fields[6];
    *ret_cookie = cookie;
    return domain.length > 0;
}

static void add(struct text *out, const void *data, size_t length)
{
    if (length > 0)
        text_add(out, data, length);
}

void netscape_write(struct text *out, const struct ipc_cookie *cookie)
{
    if (cookie->http_only)
        text_add_string(out, HTTP_ONLY);
    if (!cookie->host_only)
        text_add_char(out, '.');
    add(out, cookie->domain.data, cookie->domain.length);
    text_add_string(out, cookie->host_only ? "\tFALSE\t" : "\tTRUE\t");
    add(out, cookie->path.data, cookie->path.length);
    text_addf(out, "\t%s\t%" PRIu64 "\t", cookie->secure ? "TRUE" : "FALSE", cookie->expires_s);
    add(out, cookie->name.data, cookie->name.length);
    text_add_char(out, '\t');
    add(out, cookie->value.data, cookie->value.length);
    text_add_char(out, '\n');
}
