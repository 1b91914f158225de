/* Base64 (RFC 4648, section 4), for bytes in JSON. */
#ifndef FETCHCTL_BASE64_H
#define FETCHCTL_BASE64_H

#include "client/text.h"

/* Appends it without line ends. */
void base64_encode(struct text *out, const void *data, size_t size);

/* Appends the bytes. 0, or -1 for what is no Base64: padding is asked for, white space is not
 * allowed. */
int base64_decode(struct text *out, const char *encoded, size_t length);

#endif
