/* What comes back: header lines and body bytes from libcurl, RESPONSE and DATA to the daemon. */
#ifndef WORKER_ANSWER_H
#define WORKER_ANSWER_H

#include "ipc/message.h"

#include <stdbool.h>
#include <stddef.h>

struct transfer;

size_t answer_on_curl_header(char *line, size_t size, size_t count, void *easy);
size_t answer_on_curl_write(char *data, size_t size, size_t count, void *easy);

/* The headers that came, borrowed until the next answer of any transfer. */
struct ipc_pairs answer_pairs(struct transfer *transfer);

/* The fields behind the body, the same way. */
struct ipc_pairs answer_trailers(struct transfer *transfer);

/* Of an answer that ended well: true when its end was told, not only the connection's. */
bool answer_is_complete(const struct transfer *transfer);

/* For the next hop. */
void answer_reset(struct transfer *transfer);

/* RESPONSE. */
void answer_respond(struct transfer *transfer);

/* There may be room again for what waits: credit came, the channel emptied, the rate allows more. */
void answer_resume(struct transfer *transfer);

/* libcurl is done and has no error: RESPONSE if it was not sent, and the end, now or when what
 * waits has left. */
void answer_finish(struct transfer *transfer);

#endif
