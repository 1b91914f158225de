/* A small reader of JSON. */
#include "value.h"

#include "client/text.h"
#include "memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DEEPEST 16

struct reader { const char *at; unsigned depth; };

static struct value *read_value(struct reader *reader);

static void skip_space(struct reader *reader)
{
    reader->at += strspn(reader->at, " \t\r\n");
}

static bool take(struct reader *reader, char c)
{
    skip_space(reader);
    if (*reader->at != c)
        return false;
    reader->at++;
    return true;
}

static bool take_word(struct reader *reader, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(reader->at, word, length) != 0)
        return false;
    reader->at += length;
    return true;
}

/* ---- strings ---- */

static bool read_hex(struct reader *reader, unsigned *ret_code)
{
    char digits[5] = "";
    if (strspn(reader->at, "0123456789abcdefABCDEF") < 4)
        return false;
    memcpy(digits, reader->at, 4);
    reader->at += 4;
    *ret_code = (unsigned)strtoul(digits, NULL, 16);
    return true;
}

static void add_utf8(struct text *text, unsigned code)
{
    if (code < 0x80) {
        text_add_char(text, (char)code);
    } else if (code < 0x800) {
        text_add_char(text, (char)(0xc0 | code >> 6));
        text_add_char(text, (char)(0x80 | (code & 0x3f)));
    } else if (code < 0x10000) {
        text_add_char(text, (char)(0xe0 | code >> 12));
        text_add_char(text, (char)(0x80 | (code >> 6 & 0x3f)));
        text_add_char(text, (char)(0x80 | (code & 0x3f)));
    } else {
        text_add_char(text, (char)(0xf0 | code >> 18));
        text_add_char(text, (char)(0x80 | (code >> 12 & 0x3f)));
        text_add_char(text, (char)(0x80 | (code >> 6 & 0x3f)));
        text_add_char(text, (char)(0x80 | (code & 0x3f)));
    }
}

/* \u, with the second half of a pair; a half alone becomes U+FFFD. */
static bool read_unicode(struct reader *reader, struct text *text)
{
    unsigned code, low;
    if (!read_hex(reader, &code))
        return false;
    struct reader ahead = *reader;
    if (code >= 0xd800 && code < 0xdc00 && take_word(&ahead, "\\u") && read_hex(&ahead, &low) && low >= 0xdc00
        && low < 0xe000) {
        *reader = ahead;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    add_utf8(text, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
    return true;
}

static bool read_escape(struct reader *reader, struct text *text)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    char name = *reader->at;
    const char *known = name ? strchr(names, name) : NULL;
    if (!name)
        return false;
    reader->at++;
    if (known)
        text_add_char(text, meanings[known - names]);
    return known || (name == 'u' && read_unicode(reader, text));
}

static char *read_string(struct reader *reader)
{
    struct text text = { 0 };
    bool ok = take(reader, '"');
    while (ok && *reader->at != '"') {
        unsigned char c = (unsigned char)*reader->at;
        if (c < 0x20) {
            ok = false;
        } else if (c == '\\') {
            reader->at++;
            ok = read_escape(reader, &text);
        } else {
            text_add_char(&text, *reader->at++);
        }
    }
    if (!ok) {
        text_finish(&text);
        return NULL;
    }
    reader->at++;
    text_add(&text, "", 0);
    return text_take(&text);
}

/* ---- the rest ---- */

static bool read_number(struct reader *reader, struct value *value)
{
    bool negative = *reader->at == '-';
    reader->at += negative;
    if (*reader->at < '0' || *reader->at > '9')
        return false;
    uint64_t number = strtoull(reader->at, NULL, 10);
    value->number = negative ? 0 : number;
    reader->at += strspn(reader->at, "0123456789.eE+-");
    return true;
}

static bool read_members(struct reader *reader, struct value *value, char end)
{
    struct value **place = &value->first;
    if (take(reader, end))
        return true;
    do {
        char *name = NULL;
        if (value->kind == VALUE_OBJECT && (!(name = read_string(reader)) || !take(reader, ':'))) {
            free(name);
            return false;
        }
        *place = read_value(reader);
        if (!*place) {
            free(name);
            return false;
        }
        (*place)->name = name;
        place = &(*place)->next;
    } while (take(reader, ','));
    return take(reader, end);
}

static bool read_into(struct reader *reader, struct value *value)
{
    switch (*reader->at) {
    case '{':
        value->kind = VALUE_OBJECT;
        reader->at++;
        return read_members(reader, value, '}');
    case '[':
        value->kind = VALUE_ARRAY;
        reader->at++;
        return read_members(reader, value, ']');
    case '"':
        value->kind = VALUE_STRING;
        value->text = read_string(reader);
        return value->text != NULL;
    case 't':
        value->kind = VALUE_BOOL;
        value->number = 1;
        return take_word(reader, "true");
    case 'f':
        value->kind = VALUE_BOOL;
        return take_word(reader, "false");
    case 'n':
        return take_word(reader, "null");
    default:
        value->kind = VALUE_NUMBER;
        return read_number(reader, value);
    }
}

static struct value *read_value(struct reader *reader)
{
    if (reader->depth == DEEPEST)
        return NULL;
    struct value *value = must_allocate(1, sizeof *value);
    skip_space(reader);
    value->source = reader->at;
    reader->depth++;
    bool ok = read_into(reader, value);
    reader->depth--;
    value->source_length = (size_t)(reader->at - value->source);
    if (ok)
        return value;
    value_free(value);
    return NULL;
}

struct value *value_read(const char *json)
{
    struct reader reader = { .at = json };
    struct value *value = read_value(&reader);
    skip_space(&reader);
    if (value && *reader.at) {
        value_free(value);
        value = NULL;
    }
    return value;
}

void value_free(struct value *value)
{
    while (value) {
        struct value *next = value->next;
        value_free(value->first);
        free(value->name);
        free(value->text);
        free(value);
        value = next;
    }
}

/* ---- looking ---- */

const struct value *value_get(const struct value *object, const char *name)
{
    const struct value *member = object && object->kind == VALUE_OBJECT ? object->first : NULL;
    while (member && strcmp(member->name, name) != 0)
        member = member->next;
    return member;
}

uint64_t value_number(const struct value *object, const char *name)
{
    const struct value *member = value_get(object, name);
    return member ? member->number : 0;
}

const char *value_text(const struct value *object, const char *name)
{
    const struct value *member = value_get(object, name);
    return member && member->kind == VALUE_STRING ? member->text : "";
}
