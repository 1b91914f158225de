/* Bytes from libcurl to the daemon, under credit. */
#include "body.h"

#include "decode.h"
#include "ipc/credit.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEAST_CREDIT (4096 + IPC_FRAME_CHARGE)
#define RATE_STEPS 10          /* a second's allowance may be spent a tenth at a time */
#define RATE_LEAST_BYTES 1024

void body_init(struct body *body, struct outflow *outflow)
{
    *body = (struct body){ .outflow = outflow, .output = -1 };
}

static uint64_t now_ms(const struct body *body)
{
    return uv_now(body->outflow->turn->check.loop);
}

static int64_t rate_step(const struct body *body)
{
    uint64_t step = body->rate_bytes / RATE_STEPS;
    return step > RATE_LEAST_BYTES ? (int64_t)step : RATE_LEAST_BYTES;
}

void body_reset(struct body *body, uint32_t id, uint64_t window_bytes, uint64_t limit_bytes,
                uint64_t rate_bytes)
{
    struct outflow *outflow = body->outflow;
    int64_t quarter = (int64_t)(window_bytes / 4);
    body_finish(body);
    *body = (struct body){
        .outflow = outflow,
        .id = id,
        .credit = (int64_t)window_bytes,
        .least_credit = quarter < LEAST_CREDIT ? quarter : LEAST_CREDIT,
        .limit_bytes = limit_bytes,
        .rate_bytes = rate_bytes,
        .output = -1,
    };
    if (rate_bytes > 0) {
        body->allowance = rate_step(body);
        body->allowance_ms = now_ms(body);
    }
}

void body_finish(struct body *body)
{
    decoder_destroy(body->decoder);
    free(body->rest);
    if (body->output >= 0)
        close(body->output);
    body->output = -1;
    body->decoder = NULL;
    body->rest = NULL;
    body->rest_length = 0;
}

static enum body_result fail(struct body *body, enum ipc_error_code error, const char *problem)
{
    body->error = error;
    body->problem = problem;
    return BODY_FAILED;
}

static enum body_result fail_decoding(struct body *body, enum decode_result result)
{
    switch (result) {
    case DECODE_OK:
        return BODY_TAKEN;
    case DECODE_NO_MEMORY:
        return fail(body, IPC_ERROR_OUT_OF_MEMORY, "no memory to decode the body");
    case DECODE_UNKNOWN:
        return fail(body, IPC_ERROR_BODY_ENCODING, "the body's content coding is not gzip, deflate, br or "
                    "zstd, or there are more than three");
    case DECODE_BROKEN:
        return fail(body, IPC_ERROR_BODY_ENCODING, "the body is not in the coding that Content-Encoding "
                    "names");
    }
    return BODY_TAKEN;
}

bool body_decode(struct body *body, struct ipc_bytes content_encoding)
{
    enum decode_result result = decoder_create(content_encoding, &body->decoder);
    return result == DECODE_OK || fail_decoding(body, result) != BODY_FAILED;
}

/* ---- room ---- */

static void raise_allowance(struct body *body)
{
    uint64_t now = now_ms(body), elapsed_ms = now - body->allowance_ms;
    if (elapsed_ms == 0)
        return;
    int64_t most = rate_step(body);
    uint64_t gain = elapsed_ms >= 1000 ? body->rate_bytes : body->rate_bytes * elapsed_ms / 1000;
    if (gain == 0)
        return;   /* less than a byte: keep the time until it is one */
    body->allowance_ms = now;
    body->allowance = (int64_t)gain > most - body->allowance ? most : body->allowance + (int64_t)gain;
}

bool body_lacks_credit(const struct body *body)
{
    if (body->output >= 0)
        return false;
    return body->credit < body->least_credit || ipc_credit_payload(body->credit) == 0;
}

static size_t find_room(struct body *body)
{
    if (body_lacks_credit(body))
        return 0;
    size_t room = body->output >= 0 ? IPC_DATA_BYTES : outflow_room(body->outflow, body->credit);
    if (body->rate_bytes == 0)
        return room;
    raise_allowance(body);
    if (body->allowance <= 0)
        return 0;
    return room < (size_t)body->allowance ? room : (size_t)body->allowance;
}

uint64_t body_rate_wait_ms(const struct body *body)
{
    if (body->rate_bytes == 0 || body->allowance > 0)
        return 0;
    uint64_t missing = (uint64_t)(rate_step(body) / 2 - body->allowance);
    uint64_t wait_ms = missing * 1000 / body->rate_bytes;
    return wait_ms > 0 ? wait_ms : 1;
}

/* ---- out ---- */

void body_write_to(struct body *body, int fd)
{
    body->output = fd;
}

/* A regular file on a local file system: the daemon has seen to that, so that this does not wait for others. */
static int write_all(struct body *body, const uint8_t *data, size_t length)
{
    while (length > 0) {
        ssize_t wrote = write(body->output, data, length);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            snprintf(body->text, sizeof body->text, "writing the file failed: %s", strerror(errno));
            fail(body, IPC_ERROR_OUTPUT_FAILED, body->text);
            return -1;
        }
        data += wrote;
        length -= (size_t)wrote;
    }
    return 0;
}

static enum body_result send_on(struct body *body, const uint8_t *data, size_t length)
{
    if (body->limit_bytes > 0 && body->delivered_bytes + length > body->limit_bytes)
        return fail(body, IPC_ERROR_BODY_TOO_LARGE, "the body is larger than max_body_bytes");
    if (body->output >= 0 && write_all(body, data, length) < 0)
        return BODY_FAILED;
    if (body->output < 0 && outflow_send(body->outflow, &body->credit, body->id, data, length) < 0)
        return fail(body, IPC_ERROR_OUT_OF_MEMORY, "no memory to pass the body on");
    body->delivered_bytes += length;
    if (body->rate_bytes > 0)
        body->allowance -= (int64_t)length;
    return BODY_TAKEN;
}

static enum body_result send_plain(struct body *body, struct ipc_bytes *input)
{
    enum body_result result = BODY_TAKEN;
    while (result == BODY_TAKEN && input->length > 0) {
        size_t room = find_room(body);
        if (room == 0)
            return BODY_WAITING;
        size_t length = room < input->length ? room : input->length;
        result = send_on(body, input->data, length);
        input->data += length;
        input->length -= length;
    }
    return result;
}

static enum body_result send_decoded(struct body *body, struct ipc_bytes *input)
{
    static uint8_t output[IPC_DATA_BYTES];
    for (;;) {
        size_t room = find_room(body), length = 0;
        if (room == 0)
            return BODY_WAITING;
        enum decode_result decoded = decoder_run(body->decoder, input, output, room, &length);
        enum body_result result = length > 0 ? send_on(body, output, length) : BODY_TAKEN;
        if (result == BODY_TAKEN && decoded != DECODE_OK)
            result = fail_decoding(body, decoded);
        if (result != BODY_TAKEN || length < room)
            return result;
    }
}

static enum body_result pump(struct body *body, struct ipc_bytes *input)
{
    return body->decoder ? send_decoded(body, input) : send_plain(body, input);
}

/* A decoder may hold output back when all its input is taken, so what waits can be of length 0. */
static enum body_result keep(struct body *body, struct ipc_bytes input)
{
    body->rest = malloc(input.length > 0 ? input.length : 1);
    if (!body->rest)
        return fail(body, IPC_ERROR_OUT_OF_MEMORY, "no memory to keep a piece of the body");
    if (input.length > 0)
        memcpy(body->rest, input.data, input.length);
    body->rest_at = 0;
    body->rest_length = input.length;
    return BODY_WAITING;
}

enum body_result body_take(struct body *body, const void *data, size_t length)
{
    assert(!body->rest);
    body->taken_bytes += length;
    struct ipc_bytes input = { data, length };
    enum body_result result = pump(body, &input);
    return result == BODY_WAITING ? keep(body, input) : result;
}

enum body_result body_resume(struct body *body)
{
    if (!body->rest)
        return BODY_TAKEN;
    struct ipc_bytes input = { body->rest + body->rest_at, body->rest_length };
    enum body_result result = pump(body, &input);
    body->rest_at += body->rest_length - input.length;
    body->rest_length = input.length;
    if (result == BODY_WAITING)
        return result;
    free(body->rest);
    body->rest = NULL;
    return result;
}

bool body_waits(const struct body *body)
{
    return body->rest != NULL;
}

enum body_result body_end(struct body *body)
{
    if (body->decoder && !decoder_complete(body->decoder))
        return fail(body, IPC_ERROR_BODY_TRUNCATED, "the body's coded stream stops before its end");
    return BODY_TAKEN;
}
