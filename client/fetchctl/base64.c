/* Base64: three bytes as four letters. */
#include "base64.h"

#include <stdint.h>
#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct text *out, const void *data, size_t size)
{
    const unsigned char *at = data;
    for (size_t i = 0; i < size; i += 3) {
        size_t count = size - i < 3 ? size - i : 3;
        uint32_t bits = (uint32_t)at[i] << 16 | (count > 1 ? (uint32_t)at[i + 1] << 8 : 0) |
                        (count > 2 ? at[i + 2] : 0);
        char group[4] = { letters[bits >> 18], letters[bits >> 12 & 63], '=', '=' };
        if (count > 1)
            group[2] = letters[bits >> 6 & 63];
        if (count > 2)
            group[3] = letters[bits & 63];
        text_add(out, group, sizeof group);
    }
}

static int value_of(char letter)
{
    const char *at = letter ? strchr(letters, letter) : NULL;
    return at ? (int)(at - letters) : -1;
}

/* The bytes of so many letters of a group, padding not among them; 0, or -1. */
static int decode_group(const char *group, size_t count, struct text *out)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < count ? value_of(group[i]) : 0;
        if (value < 0)
            return -1;
        bits = bits << 6 | (uint32_t)value;
    }
    const unsigned char bytes[3] = {(unsigned char)(bits >> 16), (unsigned char)(bits >> 8),
                                    (unsigned char)bits};
    text_add(out, bytes, count - 1);
    return 0;
}

int base64_decode(struct text *out, const char *encoded, size_t length)
{
    if (length % 4 != 0)
        return -1;
    for (size_t i = 0; i < length; i += 4) {
        const char *group = encoded + i;
        size_t count = i + 4 < length || group[3] != '=' ? 4 : group[2] != '=' ? 3 : 2;
        if (decode_group(group, count, out) < 0)
            return -1;
    }
    return 0;
}
