/* decode.c: content codings taken off under a bound on the output. Test data is made by the
 * encoders of the same libraries where they are linked, and by hand otherwise. */
#include "worker/decode.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

struct blob { uint8_t *data; size_t length; };

static struct blob copy(const void *data, size_t length)
{
    struct blob blob = { malloc(length ? length : 1), length };
    assert_non_null(blob.data);
    memcpy(blob.data, data, length);
    return blob;
}

static struct blob join(struct blob a, struct blob b)
{
    struct blob both = { malloc(a.length + b.length), a.length + b.length };
    memcpy(both.data, a.data, a.length);
    memcpy(both.data + a.length, b.data, b.length);
    free(a.data);
    free(b.data);
    return both;
}

/* Text that repeats and varies. */
static struct blob sample(size_t length)
{
    struct blob blob = { malloc(length ? length : 1), length };
    uint32_t seed = 1;
    for (size_t i = 0; i < length; i++) {
        seed = seed * 1664525 + 1013904223;
        blob.data[i] = (i / 700) % 2 ? (uint8_t)('a' + i % 13) : (uint8_t)(seed >> 24);
    }
    return blob;
}

static struct blob pack_zlib(struct blob plain, int window_bits)
{
    z_stream zlib = { .next_in = plain.data, .avail_in = (uInt)plain.length };
    assert_int_equal(deflateInit2(&zlib, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    struct blob packed = { malloc(plain.length + 1000), 0 };
    zlib.next_out = packed.data;
    zlib.avail_out = (uInt)plain.length + 1000;
    assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    packed.length = zlib.total_out;
    deflateEnd(&zlib);
    return packed;
}

static struct blob pack_gzip(struct blob plain) { return pack_zlib(plain, 15 + 16); }

static struct blob pack_zstd(struct blob plain, int window_log)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    if (window_log)
        ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
    struct blob packed = { malloc(ZSTD_compressBound(plain.length)), 0 };
    /* Streamed and without its size, or zstd would shrink the window to the content. */
    ZSTD_inBuffer in = { plain.data, plain.length, 0 };
    ZSTD_outBuffer out = { packed.data, ZSTD_compressBound(plain.length), 0 };
    ZSTD_EndDirective ends[] = { ZSTD_e_flush, ZSTD_e_end };
    for (int i = 0; i < 2; i++)
        while (ZSTD_compressStream2(context, &out, &in, ends[i]) != 0)
            assert_true(out.pos < out.size);
    packed.length = out.pos;
    ZSTD_freeCCtx(context);
    return packed;
}

/* What plain_of_brotli() makes, packed by brotli's own encoder (quality 11), not linked here. */
static uint8_t brotli_packed[] = {
    0x1b, 0x2c, 0x03, 0x20, 0xe4, 0xe6, 0x56, 0x5f, 0x49, 0x17, 0xe2, 0xf3, 0xdb, 0xa2, 0x6e, 0x43,
    0x41, 0x1c, 0xc8, 0x10, 0x26, 0xa7, 0x1a, 0x68, 0x3b, 0x86, 0x98, 0x65, 0x1a, 0x06, 0x18, 0x4c,
    0xe4, 0xe6, 0x71, 0x96, 0x9c, 0x7f, 0xe7, 0xd8, 0xd7, 0xdd, 0xa1, 0x8f, 0xf9, 0x0f, 0xe7, 0xbf,
    0xf6, 0xfb, 0x1c, 0xb0, 0xbf, 0x01, 0x08, 0x6b, 0x1e, 0xc0, 0x6c, 0x0b, 0x02, 0x43, 0xa0, 0x30,
    0x38, 0x02, 0x89, 0x7a, 0xa9, 0xe0, 0x23, 0xc4, 0x12, 0xa9, 0x4c, 0xae, 0x50, 0xa2, 0x2a, 0x46,
    0x91, 0x58, 0x22, 0x95, 0xc9, 0x15, 0x4a, 0x54, 0x25, 0x28, 0x12, 0x4b, 0xa4, 0x32, 0xb9, 0x42,
    0x99, 0x6a, 0x1a,
};

static struct blob plain_of_brotli(void)
{
    struct blob plain = { malloc(4096), 0 };
    char *at = (char *)plain.data;
    at += sprintf(at, "fetchd decodes brotli: ");
    for (int i = 0; i < 40; i++)
        at += sprintf(at, "line %d of the body%c", i, i < 39 ? ' ' : '\n');
    plain.length = (size_t)(at - (char *)plain.data);
    return plain;
}

struct run { enum decode_result result; bool complete; struct blob out; };

/* Decodes `packed` in pieces of `in_step` into room of `out_step` at a time. */
static struct run decode(const char *coding, struct blob packed, size_t in_step, size_t out_step)
{
    struct decoder *decoder = NULL;
    struct ipc_bytes header = { (const uint8_t *)coding, strlen(coding) };
    struct run run = { .result = decoder_create(header, &decoder) };
    if (run.result != DECODE_OK)
        return run;
    assert_non_null(decoder);
    size_t capacity = 1 << 16, at = 0;
    run.out.data = malloc(capacity);
    while (at < packed.length && run.result == DECODE_OK) {
        size_t length = packed.length - at < in_step ? packed.length - at : in_step;
        uint8_t *piece = malloc(length);   /* exact, so that a sanitizer sees reads beyond it */
        memcpy(piece, packed.data + at, length);
        struct ipc_bytes input = { piece, length };
        for (;;) {
            if (capacity - run.out.length < out_step)
                run.out.data = realloc(run.out.data, capacity *= 2);
            size_t made = 0;
            run.result = decoder_run(decoder, &input, run.out.data + run.out.length, out_step, &made);
            assert_true(made <= out_step);
            run.out.length += made;
            if (run.result != DECODE_OK || made < out_step)
                break;
        }
        if (run.result == DECODE_OK)
            assert_int_equal(input.length, 0);
        free(piece);
        at += length;
    }
    run.complete = decoder_complete(decoder);
    decoder_destroy(decoder);
    return run;
}

static void assert_decodes(const char *coding, struct blob packed, struct blob plain)
{
    static const size_t steps[][2] = {
        { 1, 1 }, { 1, 65536 }, { 65536, 1 }, { 7, 13 }, { 16384, 4096 }, { 1 << 24, 65536 },
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct run run = decode(coding, packed, steps[i][0], steps[i][1]);
        assert_int_equal(run.result, DECODE_OK);
        assert_true(run.complete);
        assert_int_equal(run.out.length, plain.length);
        assert_memory_equal(run.out.data, plain.data, plain.length);
        free(run.out.data);
    }
}

static void each_coding_gives_the_plain_bytes_at_any_step(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 1000, 100000 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct blob plain = sample(sizes[i]);
        struct blob forms[] = {
            pack_gzip(plain), pack_zlib(plain, 15), pack_zlib(plain, -15), pack_zstd(plain, 0),
        };
        static const char *const names[] = { "gzip", "deflate", "deflate", "zstd" };
        for (size_t k = 0; k < 4; k++) {
            assert_decodes(names[k], forms[k], plain);
            free(forms[k].data);
        }
        free(plain.data);
    }
}

static void brotli_gives_the_plain_bytes_at_any_step(void **state)
{
    (void)state;
    struct blob plain = plain_of_brotli();
    assert_decodes("br", (struct blob){ brotli_packed, sizeof brotli_packed }, plain);
    free(plain.data);
}

static void a_brotli_stream_cut_anywhere_is_not_complete(void **state)
{
    (void)state;
    for (size_t length = 1; length < sizeof brotli_packed; length++) {
        struct run run = decode("br", (struct blob){ brotli_packed, length }, 1 << 20, 65536);
        assert_int_equal(run.result, DECODE_OK);
        assert_false(run.complete);
        free(run.out.data);
    }
}

static void names_are_taken_in_any_case_and_spacing(void **state)
{
    (void)state;
    struct blob plain = sample(500), packed = pack_gzip(plain);
    assert_decodes(" X-GZip ", packed, plain);
    assert_decodes("identity, GZIP ,", packed, plain);
    free(packed.data);
    free(plain.data);
}

static void nothing_to_decode_makes_no_decoder(void **state)
{
    (void)state;
    static const char *const names[] = { "", "identity", " , identity,", "," };
    for (size_t i = 0; i < 4; i++) {
        struct decoder *decoder = (struct decoder *)(uintptr_t)1;
        struct ipc_bytes header = { (const uint8_t *)names[i], strlen(names[i]) };
        assert_int_equal(decoder_create(header, &decoder), DECODE_OK);
        assert_null(decoder);
    }
}

static void codings_on_top_of_each_other_come_off_in_order(void **state)
{
    (void)state;
    struct blob plain = sample(50000), once = pack_gzip(plain), twice = pack_zstd(once, 0);
    struct blob thrice = pack_zlib(twice, 15);
    assert_decodes("gzip, zstd", twice, plain);
    assert_decodes("gzip, zstd, deflate", thrice, plain);
    free(plain.data);
    free(once.data);
    free(twice.data);
    free(thrice.data);
}

static void more_than_three_or_unknown_codings_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = { "rot13", "gzip, rot13", "gzip,gzip,gzip,gzip", "gzi", "gzipp" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct decoder *decoder;
        struct ipc_bytes header = { (const uint8_t *)names[i], strlen(names[i]) };
        assert_int_equal(decoder_create(header, &decoder), DECODE_UNKNOWN);
    }
}

static void a_stream_cut_anywhere_is_not_complete(void **state)
{
    (void)state;
    struct blob plain = sample(3000);
    struct blob forms[] = {
        pack_gzip(plain), pack_zlib(plain, 15), pack_zlib(plain, -15), pack_zstd(plain, 0),
    };
    static const char *const names[] = { "gzip", "deflate", "deflate", "zstd" };
    for (size_t k = 0; k < 4; k++) {
        for (size_t length = 1; length < forms[k].length; length++) {
            struct run run = decode(names[k], (struct blob){ forms[k].data, length }, 1 << 20, 65536);
            if (run.result == DECODE_OK && run.complete)
                fail_msg("%s cut at %zu of %zu is complete", names[k], length, forms[k].length);
            free(run.out.data);
        }
        free(forms[k].data);
    }
    free(plain.data);
}

static void garbage_is_broken_in_every_coding(void **state)
{
    (void)state;
    uint8_t garbage[300];
    memset(garbage, 0xff, sizeof garbage);
    static const char *const names[] = { "gzip", "deflate", "br", "zstd" };
    for (size_t k = 0; k < 4; k++) {
        struct run run = decode(names[k], (struct blob){ garbage, sizeof garbage }, 1 << 20, 65536);
        assert_int_equal(run.result, DECODE_BROKEN);
        free(run.out.data);
    }
}

static void a_wrong_checksum_is_broken(void **state)
{
    (void)state;
    struct blob plain = sample(1000), packed = pack_gzip(plain);
    packed.data[packed.length - 5] ^= 1;
    struct run run = decode("gzip", packed, 1 << 20, 65536);
    assert_int_equal(run.result, DECODE_BROKEN);
    free(run.out.data);
    free(packed.data);
    free(plain.data);
}

static void gzip_members_and_zstd_frames_follow_each_other(void **state)
{
    (void)state;
    struct blob one = sample(900), two = sample(400);
    struct blob both = join(copy(one.data, one.length), copy(two.data, two.length));
    struct blob gzip = join(pack_gzip(one), pack_gzip(two));
    struct blob zstd = join(pack_zstd(one, 0), pack_zstd(two, 0));
    assert_decodes("gzip", gzip, both);
    assert_decodes("zstd", zstd, both);
    free(one.data);
    free(two.data);
    free(both.data);
    free(gzip.data);
    free(zstd.data);
}

static void what_follows_the_end_is_dropped(void **state)
{
    (void)state;
    static const struct { const char *bytes; size_t length; } tails[] = {
        { "garbage that goes on", 20 }, { "\0\0\0\0\0\0", 6 }, { "\x1fnot gzip", 9 }, { "\x1f", 1 },
    };
    struct blob plain = sample(700);
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        struct blob gzip = join(pack_gzip(plain), copy(tails[i].bytes, tails[i].length));
        struct run run = decode("gzip", gzip, 1 << 20, 65536);
        assert_int_equal(run.result, DECODE_OK);
        assert_int_equal(run.out.length, plain.length);
        free(run.out.data);
        free(gzip.data);
        if (i == 3)
            continue;
        struct blob raw = join(pack_zlib(plain, -15), copy(tails[i].bytes, tails[i].length));
        struct blob zstd = join(pack_zstd(plain, 0), copy(tails[i].bytes, tails[i].length));
        assert_decodes("deflate", raw, plain);
        assert_decodes("zstd", zstd, plain);
        free(raw.data);
        free(zstd.data);
    }
    free(plain.data);
}

static void an_empty_body_is_complete(void **state)
{
    (void)state;
    struct run run = decode("gzip", (struct blob){ NULL, 0 }, 1, 1);
    assert_int_equal(run.result, DECODE_OK);
    assert_true(run.complete);
    free(run.out.data);
}

static void a_bomb_gives_no_more_than_the_room(void **state)
{
    (void)state;
    struct blob zeros = { calloc(1, 32 << 20), 32 << 20 };
    struct blob gzip = pack_gzip(zeros), twice = pack_gzip(gzip), zstd = pack_zstd(zeros, 0);
    free(zeros.data);
    static const char *const names[] = { "gzip", "gzip, gzip", "zstd" };
    struct blob bombs[] = { gzip, twice, zstd };
    uint8_t room[4096];
    for (size_t k = 0; k < 3; k++) {
        struct decoder *decoder;
        struct ipc_bytes header = { (const uint8_t *)names[k], strlen(names[k]) };
        assert_int_equal(decoder_create(header, &decoder), DECODE_OK);
        struct ipc_bytes input = { bombs[k].data, bombs[k].length };
        size_t total = 0, made = sizeof room;
        while (made == sizeof room) {
            assert_int_equal(decoder_run(decoder, &input, room, sizeof room, &made), DECODE_OK);
            total += made;
        }
        assert_int_equal(total, 32 << 20);
        assert_true(decoder_complete(decoder));
        decoder_destroy(decoder);
        free(bombs[k].data);
    }
}

static void a_zstd_window_above_8_mib_is_refused(void **state)
{
    (void)state;
    struct blob plain = sample(100000), fits = pack_zstd(plain, 23), large = pack_zstd(plain, 24);
    struct run run = decode("zstd", fits, 1 << 20, 65536);
    assert_int_equal(run.result, DECODE_OK);
    assert_true(run.complete);
    free(run.out.data);
    run = decode("zstd", large, 1 << 20, 65536);
    assert_int_equal(run.result, DECODE_BROKEN);
    free(run.out.data);
    free(plain.data);
    free(fits.data);
    free(large.data);
}

UNIT_TESTS(
    TEST(each_coding_gives_the_plain_bytes_at_any_step),
    TEST(brotli_gives_the_plain_bytes_at_any_step),
    TEST(a_brotli_stream_cut_anywhere_is_not_complete),
    TEST(names_are_taken_in_any_case_and_spacing),
    TEST(nothing_to_decode_makes_no_decoder),
    TEST(codings_on_top_of_each_other_come_off_in_order),
    TEST(more_than_three_or_unknown_codings_are_refused),
    TEST(a_stream_cut_anywhere_is_not_complete),
    TEST(garbage_is_broken_in_every_coding),
    TEST(a_wrong_checksum_is_broken),
    TEST(gzip_members_and_zstd_frames_follow_each_other),
    TEST(what_follows_the_end_is_dropped),
    TEST(an_empty_body_is_complete),
    TEST(a_bomb_gives_no_more_than_the_room),
    TEST(a_zstd_window_above_8_mib_is_refused))
