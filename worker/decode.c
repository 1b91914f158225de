/* A chain of stages; each pulls its input from the one before. */
#include "decode.h"

#include <brotli/decode.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define STAGES_MAX 3
#define STAGE_BYTES 4096      /* between two stages */
#define ZSTD_WINDOW_LOG 23    /* RFC 9659: 8 MiB, and no more */

struct stage;

struct coding {
    const char *name;
    bool (*begin)(struct stage *stage);
    /* Decodes some; advances stage->input. */
    enum decode_result (*step)(struct stage *stage, uint8_t *output, size_t size, size_t *ret_length);
    void (*end)(struct stage *stage);
};

struct stage {
    const struct coding *coding;
    struct ipc_bytes input;       /* not yet taken; in `buffer`, or the caller's for the first stage */
    uint8_t *buffer;
    bool fed, ended, trailing;    /* any input; at an end; past the last end, dropping */
    bool first_member;            /* gzip and zstd: nothing has ended yet */
    bool full;                    /* the last step filled its room, so there may be more to give */
    uint8_t held;                 /* deflate: the first byte, until the second tells the form */
    bool holds, begun;
    union {
        z_stream zlib;
        BrotliDecoderState *brotli;
        ZSTD_DCtx *zstd;
    } state;
};

struct decoder {
    unsigned count;
    struct stage stages[STAGES_MAX];   /* in the order in which they decode */
};

static void take(struct stage *stage, size_t bytes)
{
    if (bytes == 0)
        return;
    stage->input.data += bytes;
    stage->input.length -= bytes;
}

static void drop_rest(struct stage *stage)
{
    stage->trailing = true;
    take(stage, stage->input.length);
}

/* ---- gzip and deflate ---- */

static bool begin_zlib(struct stage *stage, int window_bits)
{
    stage->begun = inflateInit2(&stage->state.zlib, window_bits) == Z_OK;
    return stage->begun;
}

static void end_zlib(struct stage *stage)
{
    if (stage->begun)
        inflateEnd(&stage->state.zlib);
}

static enum decode_result inflate_some(struct stage *stage, uint8_t *output, size_t size, size_t *ret_length)
{
    z_stream *zlib = &stage->state.zlib;
    zlib->next_in = (Bytef *)(uintptr_t)stage->input.data;
    zlib->avail_in = (uInt)stage->input.length;
    zlib->next_out = output;
    zlib->avail_out = (uInt)size;
    int result = inflate(zlib, Z_NO_FLUSH);
    *ret_length = size - zlib->avail_out;
    take(stage, stage->input.length - zlib->avail_in);
    if (result == Z_STREAM_END)
        stage->ended = true;
    if (result == Z_MEM_ERROR)
        return DECODE_NO_MEMORY;
    return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR ? DECODE_OK : DECODE_BROKEN;
}

static bool begin_gzip(struct stage *stage)
{
    return begin_zlib(stage, 15 + 16);
}

/* RFC 1952: members may follow each other. What only looks like one is trailing garbage. */
static enum decode_result step_gzip(struct stage *stage, uint8_t *output, size_t size, size_t *ret_length)
{
    if (stage->ended && stage->input.length > 0) {
        if (stage->input.data[0] != 0x1f || inflateReset(&stage->state.zlib) != Z_OK) {
            drop_rest(stage);
            return DECODE_OK;
        }
        stage->ended = stage->first_member = false;
    }
    enum decode_result result = inflate_some(stage, output, size, ret_length);
    if (result == DECODE_BROKEN && !stage->first_member && stage->state.zlib.total_out == 0) {
        stage->ended = true;
        drop_rest(stage);
        return DECODE_OK;
    }
    return result;
}

static bool begin_deflate(struct stage *stage)
{
    (void)stage;
    return true;   /* once the form is known */
}

/* RFC 1950, 2.2: the method is 8, the window at most 32 KiB and the two bytes a multiple of 31. */
static bool is_zlib_header(uint8_t first, uint8_t second)
{
    return (first & 0x0f) == 8 && (first >> 4) <= 7 && ((unsigned)first << 8 | second) % 31 == 0;
}

static enum decode_result begin_form(struct stage *stage)
{
    bool zlib = is_zlib_header(stage->held, stage->input.data[0]);
    if (!begin_zlib(stage, zlib ? 15 : -15))
        return DECODE_NO_MEMORY;
    struct ipc_bytes rest = stage->input;
    uint8_t nothing[1];
    size_t length = 0;
    stage->input = (struct ipc_bytes){ &stage->held, 1 };
    enum decode_result result = inflate_some(stage, nothing, 0, &length);
    stage->input = rest;
    return result;
}

static enum decode_result step_deflate(struct stage *stage, uint8_t *output, size_t size, size_t *ret_length)
{
    if (stage->ended) {
        drop_rest(stage);
        return DECODE_OK;
    }
    if (!stage->holds && stage->input.length > 0) {
        stage->held = stage->input.data[0];
        stage->holds = true;
        take(stage, 1);
    }
    if (!stage->begun) {
        if (stage->input.length == 0)
            return DECODE_OK;
        enum decode_result result = begin_form(stage);
        if (result != DECODE_OK)
            return result;
    }
    return inflate_some(stage, output, size, ret_length);
}

/* ---- br ---- */

static bool begin_brotli(struct stage *stage)
{
    stage->state.brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    return stage->state.brotli != NULL;
}

static void end_brotli(struct stage *stage)
{
    if (stage->state.brotli)
        BrotliDecoderDestroyInstance(stage->state.brotli);
}

static enum decode_result step_brotli(struct stage *stage, uint8_t *output, size_t size, size_t *ret_length)
{
    if (stage->ended) {
        drop_rest(stage);
        return DECODE_OK;
    }
    size_t available = stage->input.length, room = size;
    const uint8_t *next = stage->input.data;
    BrotliDecoderResult result = BrotliDecoderDecompressStream(stage->state.brotli, &available, &next, &room,
                                                               &output, NULL);
    *ret_length = size - room;
    take(stage, stage->input.length - available);
    if (result == BROTLI_DECODER_RESULT_SUCCESS)
        stage->ended = true;
    if (result != BROTLI_DECODER_RESULT_ERROR)
        return DECODE_OK;
    BrotliDecoderErrorCode error = BrotliDecoderGetErrorCode(stage->state.brotli);
    bool no_memory = error <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES
        && error >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
    return no_memory ? DECODE_NO_MEMORY : DECODE_BROKEN;
}

/* ---- zstd ---- */

static bool begin_zstd(struct stage *stage)
{
    stage->state.zstd = ZSTD_createDCtx();
    return stage->state.zstd
        && !ZSTD_isError(ZSTD_DCtx_setParameter(stage->state.zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG));
}

static void end_zstd(struct stage *stage)
{
    ZSTD_freeDCtx(stage->state.zstd);
}

/* RFC 8878: frames, also skippable ones, may follow each other. */
static bool begins_zstd_frame(uint8_t first)
{
    return first == 0x28 || (first & 0xf0) == 0x50;
}

static enum decode_result step_zstd(struct stage *stage, uint8_t *output, size_t size, size_t *ret_length)
{
    if (stage->ended && stage->input.length > 0) {
        if (!begins_zstd_frame(stage->input.data[0])) {
            drop_rest(stage);
            return DECODE_OK;
        }
        stage->ended = stage->first_member = false;
    }
    if (stage->ended)
        return DECODE_OK;
    ZSTD_inBuffer in = { stage->input.data, stage->input.length, 0 };
    ZSTD_outBuffer out = { output, size, 0 };
    size_t result = ZSTD_decompressStream(stage->state.zstd, &out, &in);
    *ret_length = out.pos;
    take(stage, in.pos);
    if (!ZSTD_isError(result)) {
        stage->ended = result == 0;
        return DECODE_OK;
    }
    return ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation ? DECODE_NO_MEMORY : DECODE_BROKEN;
}

/* ---- the chain ---- */

static const struct coding codings[] = {
    { "gzip", begin_gzip, step_gzip, end_zlib },
    { "x-gzip", begin_gzip, step_gzip, end_zlib },
    { "deflate", begin_deflate, step_deflate, end_zlib },
    { "br", begin_brotli, step_brotli, end_brotli },
    { "zstd", begin_zstd, step_zstd, end_zstd },
};

static int lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool same_word(struct ipc_bytes word, const char *name)
{
    for (size_t i = 0; i < word.length; i++)
        if (name[i] == '\0' || lower(word.data[i]) != name[i])
            return false;
    return name[word.length] == '\0';
}

static const struct coding *find_coding(struct ipc_bytes word)
{
    for (size_t i = 0; i < sizeof codings / sizeof codings[0]; i++)
        if (same_word(word, codings[i].name))
            return &codings[i];
    return NULL;
}

/* Cuts the next item of a comma-separated list off `list`, without the spaces around it. */
static struct ipc_bytes next_word(struct ipc_bytes *list)
{
    size_t end = 0;
    while (end < list->length && list->data[end] != ',')
        end++;
    struct ipc_bytes word = { list->data, end };
    size_t used = end < list->length ? end + 1 : end;
    list->data += used;
    list->length -= used;
    while (word.length > 0 && (*word.data == ' ' || *word.data == '\t')) {
        word.data++;
        word.length--;
    }
    while (word.length > 0 && (word.data[word.length - 1] == ' ' || word.data[word.length - 1] == '\t'))
        word.length--;
    return word;
}

/* The codings in the order in which they were applied. -1 for one that is unknown or one too many. */
static int list_codings(struct ipc_bytes header, const struct coding **ret_codings)
{
    int count = 0;
    while (header.length > 0) {
        struct ipc_bytes word = next_word(&header);
        if (word.length == 0 || same_word(word, "identity"))
            continue;
        const struct coding *coding = find_coding(word);
        if (!coding || count == STAGES_MAX)
            return -1;
        ret_codings[count++] = coding;
    }
    return count;
}

static bool begin_stage(struct stage *stage, const struct coding *coding, bool first)
{
    *stage = (struct stage){ .coding = coding, .first_member = true };
    if (!first && !(stage->buffer = malloc(STAGE_BYTES)))
        return false;
    return coding->begin(stage);
}

enum decode_result decoder_create(struct ipc_bytes content_encoding, struct decoder **ret_decoder)
{
    const struct coding *wanted[STAGES_MAX];
    int count = list_codings(content_encoding, wanted);
    if (count < 0)
        return DECODE_UNKNOWN;
    *ret_decoder = NULL;
    if (count == 0)
        return DECODE_OK;
    struct decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return DECODE_NO_MEMORY;
    while (count-- > 0) {
        struct stage *stage = &decoder->stages[decoder->count];
        if (!begin_stage(stage, wanted[count], decoder->count++ == 0)) {
            decoder_destroy(decoder);
            return DECODE_NO_MEMORY;
        }
    }
    *ret_decoder = decoder;
    return DECODE_OK;
}

void decoder_destroy(struct decoder *decoder)
{
    if (!decoder)
        return;
    for (unsigned i = 0; i < decoder->count; i++) {
        decoder->stages[i].coding->end(&decoder->stages[i]);
        free(decoder->stages[i].buffer);
    }
    free(decoder);
}

static enum decode_result run(struct decoder *decoder, unsigned index, uint8_t *output, size_t size,
                              size_t *ret_length);

static enum decode_result refill(struct decoder *decoder, unsigned index)
{
    struct stage *stage = &decoder->stages[index];
    if (index == 0 || stage->input.length > 0)
        return DECODE_OK;
    stage->input.data = stage->buffer;
    return run(decoder, index - 1, stage->buffer, STAGE_BYTES, &stage->input.length);
}

/* Appends to `output`, of which *length of `size` bytes are used. */
static enum decode_result step(struct stage *stage, uint8_t *output, size_t size, size_t *length)
{
    size_t room = size - *length, made = 0;
    enum decode_result result = DECODE_OK;
    stage->fed = stage->fed || stage->input.length > 0;
    if (stage->trailing)
        drop_rest(stage);
    else
        result = stage->coding->step(stage, output + *length, room, &made);
    *length += made;
    stage->full = made == room;
    return result;
}

/* Until the output is full, or the input has been taken and nothing more comes of it. */
static enum decode_result run(struct decoder *decoder, unsigned index, uint8_t *output, size_t size,
                              size_t *ret_length)
{
    struct stage *stage = &decoder->stages[index];
    *ret_length = 0;
    while (*ret_length < size) {
        enum decode_result result = refill(decoder, index);
        if (result != DECODE_OK)
            return result;
        if (stage->input.length == 0 && !stage->full)
            break;
        size_t before = stage->input.length, had = *ret_length;
        result = step(stage, output, size, ret_length);
        if (result != DECODE_OK)
            return result;
        if (before > 0 && before == stage->input.length && had == *ret_length)
            return DECODE_BROKEN;   /* a library that stands still must not make us spin */
    }
    return DECODE_OK;
}

enum decode_result decoder_run(struct decoder *decoder, struct ipc_bytes *input, uint8_t *output, size_t size,
                               size_t *ret_length)
{
    decoder->stages[0].input = *input;
    enum decode_result result = run(decoder, decoder->count - 1, output, size, ret_length);
    *input = decoder->stages[0].input;
    decoder->stages[0].input = (struct ipc_bytes){ NULL, 0 };
    return result;
}

bool decoder_complete(const struct decoder *decoder)
{
    if (!decoder->stages[0].fed)
        return true;
    for (unsigned i = 0; i < decoder->count; i++)
        if (!decoder->stages[i].ended)
            return false;
    return true;
}
