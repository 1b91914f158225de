/* UTF-8 by the ranges of RFC 3629, section 4. */
#include "utf8.h"

#include <stdint.h>
#include <string.h>

/* By first byte: how many bytes follow, and the range of the second. */
static const struct { uint8_t first, last, more, low, high; } forms[] = {
    { 0xc2, 0xdf, 1, 0x80, 0xbf }, { 0xe0, 0xe0, 2, 0xa0, 0xbf }, { 0xe1, 0xec, 2, 0x80, 0xbf },
    { 0xed, 0xed, 2, 0x80, 0x9f }, { 0xee, 0xef, 2, 0x80, 0xbf }, { 0xf0, 0xf0, 3, 0x90, 0xbf },
    { 0xf1, 0xf3, 3, 0x80, 0xbf }, { 0xf4, 0xf4, 3, 0x80, 0x8f },
};

/* The size of the valid sequence at `at`, or 0. */
static size_t sequence(const uint8_t *at, size_t left)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (at[0] < forms[i].first || at[0] > forms[i].last)
            continue;
        if (left <= forms[i].more || at[1] < forms[i].low || at[1] > forms[i].high)
            return 0;
        for (size_t k = 2; k <= forms[i].more; k++)
            if ((at[k] & 0xc0) != 0x80)
                return 0;
        return (size_t)forms[i].more + 1;
    }
    return 0;
}

static bool all_ascii(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return (word & 0x8080808080808080u) == 0;
}

size_t ipc_utf8_prefix(const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    size_t left = length;
    while (left > 0) {
        size_t size;
        if (left >= sizeof(uint64_t) && all_ascii(at))
            size = sizeof(uint64_t);
        else
            size = at[0] < 0x80 ? 1 : sequence(at, left);
        if (size == 0)
            break;
        at += size;
        left -= size;
    }
    return length - left;
}

bool ipc_utf8_valid(const void *bytes, size_t length)
{
    return ipc_utf8_prefix(bytes, length) == length;
}

/* ---- in pieces ---- */

/* The bytes that follow `first` in its sequence, or -1; *ret_form is its row above. */
static int find_form(uint8_t first, size_t *ret_form)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        *ret_form = i;
        if (first >= forms[i].first && first <= forms[i].last)
            return forms[i].more;
    }
    return -1;
}

/* Whether fewer bytes than a sequence has can be its beginning. */
static bool begins(const uint8_t *at, size_t count)
{
    size_t form;
    int more = find_form(at[0], &form);
    if (more < 0 || count > (size_t)more)
        return false;
    if (count > 1 && (at[1] < forms[form].low || at[1] > forms[form].high))
        return false;
    return count < 3 || (at[2] & 0xc0) == 0x80;
}

/* The next byte of a character that the last piece began. */
static bool go_on(struct ipc_utf8 *text, uint8_t byte)
{
    text->begun[text->count++] = byte;
    if (sequence(text->begun, text->count) == text->count)
        text->count = 0;
    return text->count == 0 || begins(text->begun, text->count);
}

bool ipc_utf8_feed(struct ipc_utf8 *text, const void *bytes, size_t length)
{
    const uint8_t *at = bytes, *end = at + length;
    while (text->count > 0 && at < end)
        if (!go_on(text, *at++))
            return false;
    if (at == end)
        return true;
    at += ipc_utf8_prefix(at, (size_t)(end - at));
    size_t rest = (size_t)(end - at);
    if (rest == 0)
        return true;
    if (rest > 3 || !begins(at, rest))
        return false;
    memcpy(text->begun, at, rest);
    text->count = (unsigned)rest;
    return true;
}

bool ipc_utf8_complete(const struct ipc_utf8 *text)
{
    return text->count == 0;
}
