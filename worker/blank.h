/* The white space between the parts of a header's value: SP and HTAB (RFC 9110, 5.6.3). */
#ifndef WORKER_BLANK_H
#define WORKER_BLANK_H

#include "ipc/message.h"

#include <stdbool.h>
#include <stdint.h>

static inline bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

/* Without what is blank at both ends. */
static inline struct ipc_bytes blank_trim(struct ipc_bytes bytes)
{
    while (bytes.length > 0 && is_blank(bytes.data[0])) {
        bytes.data++;
        bytes.length--;
    }
    while (bytes.length > 0 && is_blank(bytes.data[bytes.length - 1]))
        bytes.length--;
    return bytes;
}

#endif
