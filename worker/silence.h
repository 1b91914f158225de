/* A server that is gone says nothing over UDP, where TCP would say that nobody is there: a request on a kept
 * HTTP/3 connection would wait for its answer until the headers' timeout. But a living server acknowledges
 * packets within moments. When nothing at all comes for several times as long, the connection is given up. */
#ifndef WORKER_SILENCE_H
#define WORKER_SILENCE_H

#include <stdbool.h>

struct transfer;

/* The request is about to go out on a connection that was open already. */
void silence_begin(struct transfer *transfer);

/* The deadline's timer woke. False when it was not for this: something was heard, or is not listened for. The
 * transfer may be at its end after true. */
bool silence_check(struct transfer *transfer);

#endif
