/* JSON into a text. */
#include "json.h"

#include <math.h>
#include <string.h>

/* A comma belongs before all but the first value, which stands at the start or behind { [ or : */
static void separate(struct text *out)
{
    if (out->length > 0 && !strchr("{[:\n", out->data[out->length - 1]))
        text_add_char(out, ',');
}

void json_begin_object(struct text *out)
{
    separate(out);
    text_add_char(out, '{');
}

void json_end_object(struct text *out)
{
    text_add_char(out, '}');
}

void json_begin_array(struct text *out)
{
    separate(out);
    text_add_char(out, '[');
}

void json_end_array(struct text *out)
{
    text_add_char(out, ']');
}

void json_name(struct text *out, const char *name)
{
    json_text(out, name);
    text_add_char(out, ':');
}

/* The length of the well-formed sequence at `at` (RFC 3629, table in section 4), or 0. */
static size_t sequence_length(const unsigned char *at, size_t left)
{
    static const struct { unsigned char first, last, low, high, length; } forms[] = {
        { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
        { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
        { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (at[0] < forms[i].first || at[0] > forms[i].last)
            continue;
        if (left < forms[i].length || at[1] < forms[i].low || at[1] > forms[i].high)
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if (at[k] < 0x80 || at[k] > 0xbf)
                return 0;
        return forms[i].length;
    }
    return 0;
}

static void add_escape(struct text *out, unsigned char c)
{
    static const char short_escapes[128] = {
        ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
    };
    if (short_escapes[c]) {
        text_add_char(out, '\\');
        text_add_char(out, short_escapes[c]);
    } else {
        text_addf(out, "\\u%04x", c);
    }
}

void json_text_bytes(struct text *out, const void *bytes, size_t length)
{
    const unsigned char *at = bytes, *end = at + length, *plain = at;
    separate(out);
    text_add_char(out, '"');
    while (at < end) {
        size_t step = 1;
        bool ascii = *at < 0x80, escaped = *at < 0x20 || *at == '"' || *at == '\\' || *at == 0x7f;
        if (!ascii)
            step = sequence_length(at, (size_t)(end - at));
        if ((ascii && !escaped) || (!ascii && step > 0)) {
            at += step;
            continue;
        }
        text_add(out, plain, (size_t)(at - plain));
        if (escaped)
            add_escape(out, *at);
        else
            text_add_string(out, "\xef\xbf\xbd");
        plain = ++at;
    }
    text_add(out, plain, (size_t)(end - plain));
    text_add_char(out, '"');
}

bool json_is_utf8(const void *bytes, size_t length)
{
    const unsigned char *at = bytes, *end = at + length;
    while (at < end) {
        size_t step = *at < 0x80 ? 1 : sequence_length(at, (size_t)(end - at));
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

void json_text(struct text *out, const char *string)
{
    json_text_bytes(out, string, strlen(string));
}

void json_uint(struct text *out, uint64_t value)
{
    separate(out);
    text_addf(out, "%llu", (unsigned long long)value);
}

void json_raw(struct text *out, const char *json)
{
    separate(out);
    text_add_string(out, json);
}

void json_bool(struct text *out, bool value)
{
    separate(out);
    text_add_string(out, value ? "true" : "false");
}

void json_nothing(struct text *out)
{
    separate(out);
    text_add_string(out, "null");
}

void json_number(struct text *out, double value, int digits)
{
    separate(out);
    text_addf(out, "%.*f", digits, isfinite(value) ? value : 0.0);
}
