/* Content codings, taken off as the body streams: gzip, deflate (zlib's form or raw, as servers
 * do both), br, zstd; up to three on top of each other. What one call puts out is bounded by the
 * room it is given, whatever the ratio, so that decoding runs under credit. Pure. */
#ifndef WORKER_DECODE_H
#define WORKER_DECODE_H

#include "ipc/message.h"

struct decoder;

enum decode_result {
    DECODE_OK,
    DECODE_UNKNOWN,     /* a coding that is not ours, or more than three */
    DECODE_BROKEN,      /* what came is not in that coding */
    DECODE_NO_MEMORY,
};

/* For the value of a Content-Encoding header. *ret_decoder is NULL when there is nothing to decode
 * (empty, identity). */
enum decode_result decoder_create(struct ipc_bytes content_encoding, struct decoder **ret_decoder);
void decoder_destroy(struct decoder *decoder);

/* Takes from the front of *input and writes at most `size` bytes. DECODE_OK with *ret_length below
 * `size` means that all the input was taken and more is needed. What follows the end of the coded
 * stream is taken and dropped, as browsers do; further gzip members and zstd frames are decoded. */
enum decode_result decoder_run(struct decoder *decoder, struct ipc_bytes *input, uint8_t *output, size_t size,
                               size_t *ret_length);

/* Whether the coded stream came to its end; also when nothing came at all. If not when the body has
 * ended, the body is truncated. */
bool decoder_complete(const struct decoder *decoder);

#endif
