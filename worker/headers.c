/* Lines of an answer's head, kept as offsets into one buffer. */
#include "headers.h"

#include "check.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_BYTES 8192    /* of a finished answer's memory, for the next one */
#define FIRST_FIELDS 16

void headers_init(struct headers *headers)
{
    *headers = (struct headers){ .status = 0 };
    ipc_buffer_init(&headers->text, UINT32_MAX);
}

void headers_finish(struct headers *headers)
{
    ipc_buffer_finish(&headers->text);
    free(headers->fields);
    headers->fields = NULL;
    headers->capacity = 0;
}

static void begin_section(struct headers *headers)
{
    ipc_buffer_truncate(&headers->text, 0);
    headers->count = headers->trailers = 0;
    headers->status = 0;
    headers->version[0] = '\0';
}

void headers_reset(struct headers *headers, size_t limit_bytes)
{
    if (headers->text.capacity > KEPT_BYTES || headers->capacity * sizeof *headers->fields > KEPT_BYTES) {
        headers_finish(headers);
        headers_init(headers);
    }
    begin_section(headers);
    headers->received_bytes = 0;
    headers->limit_bytes = limit_bytes;
    headers->complete = false;
}

/* "HTTP/1.1 200 OK". libcurl has checked it; what it let pass and is not this has status 0. */
static void read_status_line(struct headers *headers, const char *line, size_t length)
{
    size_t at = 5, version = 0;
    while (at < length && line[at] != ' ' && version < sizeof headers->version - 1)
        headers->version[version++] = line[at++];
    headers->version[version] = '\0';
    while (at < length && line[at] == ' ')
        at++;
    for (unsigned digits = 0; digits < 3 && at < length && line[at] >= '0' && line[at] <= '9'; digits++)
        headers->status = headers->status * 10 + (unsigned)(line[at++] - '0');
}

static bool grow_fields(struct headers *headers)
{
    if (headers->count + headers->trailers < headers->capacity)
        return true;
    size_t capacity = headers->capacity ? headers->capacity * 2 : FIRST_FIELDS;
    struct headers_field *fields = realloc(headers->fields, capacity * sizeof *fields);
    if (!fields)
        return false;
    headers->fields = fields;
    headers->capacity = capacity;
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static enum headers_event add_field(struct headers *headers, const char *line, size_t length)
{
    const char *colon = memchr(line, ':', length);
    size_t index = headers->count + headers->trailers;
    if (!colon)
        return HEADERS_MORE;   /* not a field; libcurl refuses what matters */
    if (index == HEADERS_COUNT_MAX)
        return HEADERS_TOO_LARGE;
    size_t start = ipc_buffer_length(&headers->text);
    if (!grow_fields(headers) || ipc_buffer_append(&headers->text, line, length) < 0)
        return HEADERS_NO_MEMORY;
    size_t name_end = (size_t)(colon - line), value = name_end + 1, end = length;
    while (name_end > 0 && is_space(line[name_end - 1]))
        name_end--;
    while (value < end && is_space(line[value]))
        value++;
    while (end > value && is_space(line[end - 1]))
        end--;
    headers->fields[index] = (struct headers_field){
        (uint32_t)start, (uint32_t)name_end, (uint32_t)(start + value), (uint32_t)(end - value),
    };
    if (headers->complete)
        headers->trailers++;
    else
        headers->count++;
    return HEADERS_MORE;
}

static enum headers_event add_trailer(struct headers *headers, const char *line, size_t length)
{
    enum headers_event event = add_field(headers, line, length);
    return event == HEADERS_MORE ? HEADERS_TRAILER : event;
}

enum headers_event headers_take(struct headers *headers, const char *line, size_t length)
{
    headers->received_bytes += length;
    if (headers->received_bytes > headers->limit_bytes)
        return HEADERS_TOO_LARGE;
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        length--;
    if (headers->complete)
        return add_trailer(headers, line, length);
    if (length >= 5 && memcmp(line, "HTTP/", 5) == 0 && headers->status == 0) {
        read_status_line(headers, line, length);
        return HEADERS_MORE;
    }
    if (length > 0)
        return add_field(headers, line, length);
    if (headers->status >= 100 && headers->status < 200 && headers->status != 101) {
        begin_section(headers);
        return HEADERS_MORE;
    }
    headers->complete = true;
    return HEADERS_COMPLETE;
}

static struct ipc_bytes slice(const struct headers *headers, uint32_t start, uint32_t length)
{
    return (struct ipc_bytes){ ipc_buffer_data(&headers->text) + start, length };
}

struct ipc_bytes headers_find(const struct headers *headers, const char *lower_case)
{
    for (size_t i = 0; i < headers->count; i++) {
        const struct headers_field *field = &headers->fields[i];
        if (check_name_is(slice(headers, field->name, field->name_length), lower_case))
            return slice(headers, field->value, field->value_length);
    }
    return (struct ipc_bytes){ NULL, 0 };
}

static struct ipc_pairs pairs_of(const struct headers *headers, size_t first, size_t count,
                                 struct ipc_pair *items)
{
    for (size_t i = 0; i < count; i++) {
        const struct headers_field *field = &headers->fields[first + i];
        items[i] = (struct ipc_pair){ slice(headers, field->name, field->name_length),
                                      slice(headers, field->value, field->value_length) };
    }
    return (struct ipc_pairs){ items, count };
}

struct ipc_pairs headers_pairs(const struct headers *headers, struct ipc_pair *items)
{
    return pairs_of(headers, 0, headers->count, items);
}

struct ipc_pairs headers_trailers(const struct headers *headers, struct ipc_pair *items)
{
    return pairs_of(headers, headers->count, headers->trailers, items);
}
