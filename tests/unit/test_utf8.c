/* utf8.c: RFC 3629, section 4. */
#include "ipc/utf8.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

/* In memory of its exact size, so that reading behind it is the sanitizer's matter. */
static bool valid(const void *bytes, size_t length)
{
    char *exact = malloc(length ? length : 1);
    if (length > 0)
        memcpy(exact, bytes, length);
    bool result = ipc_utf8_valid(exact, length);
    free(exact);
    return result;
}

/* By the RFC's own definition, written apart from the code under test: decode, then judge. */
static bool valid_by_definition(const uint8_t *at, size_t length)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    while (length > 0) {
        size_t size = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : at[0] >> 3 == 30 ? 4
            : 0;
        if (size == 0 || size > length)
            return false;
        uint32_t point = size == 1 ? at[0] : at[0] & (0x7fu >> size);
        for (size_t i = 1; i < size; i++) {
            if (at[i] >> 6 != 2)
                return false;
            point = point << 6 | (at[i] & 0x3fu);
        }
        if (point < least[size] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return false;
        at += size;
        length -= size;
    }
    return true;
}

static void the_boundaries_of_each_length_are_valid(void **state)
{
    (void)state;
    static const char *const good[] = {
        "", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "gr\xc3\xbc\xc3\x9f", "\xe6\x97\xa5\xe6\x9c\xac",
        "\xf0\x9f\x90\x95",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(valid(good[i], strlen(good[i])));
    assert_true(valid("a\0b", 3));
}

static void overlong_forms_are_invalid(void **state)
{
    (void)state;
    static const char *const bad[] = { "\xc0\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf",
                                       "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(valid(bad[i], strlen(bad[i])));
}

static void surrogates_are_invalid(void **state)
{
    (void)state;
    for (unsigned second = 0xa0; second <= 0xbf; second++)
        assert_false(valid((uint8_t[]){ 0xed, (uint8_t)second, 0x80 }, 3));
    assert_false(valid("\xed\xa0\x80\xed\xb0\x80", 6));   /* a pair, as CESU-8 has it */
}

static void above_the_last_code_point_and_five_and_six_bytes_are_invalid(void **state)
{
    (void)state;
    static const char *const bad[] = { "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf7\xbf\xbf\xbf",
                                       "\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80", "\xfe", "\xff" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(valid(bad[i], strlen(bad[i])));
}

static void cut_and_stray_bytes_are_invalid_wherever_they_stand(void **state)
{
    (void)state;
    static const char *const bad[] = { "\x80", "\xbf", "\xc3", "\xe2\x82", "\xf0\x9f\x90", "\xc3\x28",
                                       "\xe2\x28\xa1", "\xe2\x82\x28", "\xf0\x28\x8c\xbc", "\xf0\x90\x28\xbc",
                                       "\xf0\x9f\x90\x28" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        for (size_t before = 0; before < 20; before++) {   /* past the ASCII words of eight bytes */
            char text[64];
            memset(text, 'x', sizeof text);
            memcpy(text + before, bad[i], strlen(bad[i]));
            assert_false(valid(text, before + strlen(bad[i])));
            assert_false(valid(text, before + strlen(bad[i]) + 11));
        }
    }
}

static void all_sequences_of_two_bytes_agree_with_the_definition(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 65536; i++) {
        uint8_t bytes[2] = { (uint8_t)(i >> 8), (uint8_t)i };
        assert_int_equal(ipc_utf8_valid(bytes, 2), valid_by_definition(bytes, 2));
    }
}

static void all_sequences_of_three_bytes_agree_with_the_definition(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1u << 24; i += 7) {
        uint8_t bytes[3] = { (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
        if (ipc_utf8_valid(bytes, 3) != valid_by_definition(bytes, 3))
            fail_msg("%02x %02x %02x", bytes[0], bytes[1], bytes[2]);
    }
}

static void all_first_two_of_four_bytes_agree_with_the_definition(void **state)
{
    (void)state;
    static const uint8_t lasts[] = { 0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff };
    for (unsigned i = 0; i < 65536; i++) {
        for (size_t a = 0; a < sizeof lasts; a++) {
            for (size_t b = 0; b < sizeof lasts; b++) {
                uint8_t bytes[4] = { (uint8_t)(i >> 8), (uint8_t)i, lasts[a], lasts[b] };
                if (ipc_utf8_valid(bytes, 4) != valid_by_definition(bytes, 4))
                    fail_msg("%02x %02x %02x %02x", bytes[0], bytes[1], bytes[2], bytes[3]);
            }
        }
    }
}

static void the_valid_beginning_ends_before_the_first_wrong_byte(void **state)
{
    (void)state;
    static const struct { const char *text; size_t prefix; } rows[] = {
        { "", 0 }, { "abc", 3 }, { "abc\xff", 3 }, { "\xff" "abc", 0 }, { "\xc3\xa4\xc3", 2 },
        { "\xe2\x82", 0 },
        { "eight and more bytes\x80 and more", 20 }, { "\xf0\x9f\x90\x95\xf0\x9f\x90", 4 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(ipc_utf8_prefix(rows[i].text, strlen(rows[i].text)), rows[i].prefix);
}

/* ---- in pieces ---- */

/* The text in two pieces, cut before byte `cut`. */
static bool valid_in_pieces(const uint8_t *bytes, size_t length, size_t cut)
{
    struct ipc_utf8 text = { { 0 }, 0 };
    return ipc_utf8_feed(&text, bytes, cut) && ipc_utf8_feed(&text, bytes + cut, length - cut)
        && ipc_utf8_complete(&text);
}

static void a_text_is_as_valid_in_pieces_as_in_one_wherever_it_is_cut(void **state)
{
    (void)state;
    static const uint8_t lasts[] = { 0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc3, 0xff };
    for (unsigned i = 0; i < 65536; i += 3) {
        for (size_t a = 0; a < sizeof lasts; a++) {
            uint8_t bytes[] = { 'x', (uint8_t)(i >> 8), (uint8_t)i, lasts[a], 0x80, 'x' };
            for (size_t cut = 0; cut <= sizeof bytes; cut++)
                if (valid_in_pieces(bytes, sizeof bytes, cut) != valid_by_definition(bytes, sizeof bytes))
                    fail_msg("%02x %02x %02x cut at %zu", bytes[1], bytes[2], bytes[3], cut);
        }
    }
}

static void a_text_may_come_byte_by_byte(void **state)
{
    (void)state;
    const char *texts[] = { "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x90\x95",
                            "\xf4\x8f\xbf\xbf" };
    for (size_t i = 0; i < 2; i++) {
        struct ipc_utf8 text = { { 0 }, 0 };
        for (const char *at = texts[i]; *at; at++) {
            assert_true(ipc_utf8_feed(&text, "", 0));
            assert_true(ipc_utf8_feed(&text, at, 1));
        }
        assert_true(ipc_utf8_complete(&text));
    }
}

static void what_can_never_become_valid_is_refused_before_its_end(void **state)
{
    (void)state;
    static const char *const bad[] = { "\xed\xa0", "\xf4\x90", "\xe0\x80", "\xf0\x8f", "\xf5", "\xc0", "\x80",
                                       "\xe2\x28", "\xf0\x9f\x28" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ipc_utf8 text = { { 0 }, 0 };
        assert_false(ipc_utf8_feed(&text, bad[i], strlen(bad[i])));
    }
}

static void a_text_that_ends_within_a_character_is_not_complete(void **state)
{
    (void)state;
    static const char *const cut[] = { "\xc3", "x\xe2\x82", "12345678\xf0\x9f\x90" };
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
        struct ipc_utf8 text = { { 0 }, 0 };
        assert_true(ipc_utf8_feed(&text, cut[i], strlen(cut[i])));
        assert_false(ipc_utf8_complete(&text));
    }
}

UNIT_TESTS(TEST(the_valid_beginning_ends_before_the_first_wrong_byte),
           TEST(the_boundaries_of_each_length_are_valid), TEST(overlong_forms_are_invalid),
           TEST(surrogates_are_invalid), TEST(above_the_last_code_point_and_five_and_six_bytes_are_invalid),
           TEST(cut_and_stray_bytes_are_invalid_wherever_they_stand),
           TEST(all_sequences_of_two_bytes_agree_with_the_definition),
           TEST(all_sequences_of_three_bytes_agree_with_the_definition),
           TEST(all_first_two_of_four_bytes_agree_with_the_definition),
           TEST(a_text_is_as_valid_in_pieces_as_in_one_wherever_it_is_cut),
           TEST(a_text_may_come_byte_by_byte),
           TEST(what_can_never_become_valid_is_refused_before_its_end),
           TEST(a_text_that_ends_within_a_character_is_not_complete))
