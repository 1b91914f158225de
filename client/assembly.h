/* The pieces of a WebSocket message put together, up to a limit. What is here stays between calls, so
 * that a timeout loses none of it. Pure. */
#ifndef CLIENT_ASSEMBLY_H
#define CLIENT_ASSEMBLY_H

#include "text.h"

#include <stdint.h>

struct assembly {
    struct text bytes;
    uint64_t limit_bytes;
    unsigned kind;             /* of the message; 0: there is none */
    bool whole;                /* it is; the next piece begins another */
};

enum assembly_result { ASSEMBLY_PARTIAL, ASSEMBLY_WHOLE, ASSEMBLY_TOO_LARGE, ASSEMBLY_OUT_OF_MEMORY };

void assembly_init(struct assembly *assembly, uint64_t limit_bytes);
void assembly_finish(struct assembly *assembly);

/* True when pieces wait for the rest of their message. */
bool assembly_is_partial(const struct assembly *assembly);

/* Adds a piece; the first one of a message gives it its kind. Too large a message is dropped whole. */
enum assembly_result assembly_add(struct assembly *assembly, unsigned kind, const void *data, size_t size,
                                  bool more);

/* Forgets the message; what was handed out of it is no longer valid. */
void assembly_drop(struct assembly *assembly);

#endif
