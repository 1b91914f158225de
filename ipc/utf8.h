/* UTF-8 by RFC 3629: shortest forms only, no surrogates, nothing above U+10FFFF. Pure. */
#ifndef IPC_UTF8_H
#define IPC_UTF8_H

#include <stdbool.h>
#include <stddef.h>

bool ipc_utf8_valid(const void *bytes, size_t length);

/* The length of the longest valid text that `bytes` begin with. */
size_t ipc_utf8_prefix(const void *bytes, size_t length);

/* A text that comes in pieces, which may end within a character. Starts as { 0 }. */
struct ipc_utf8 { unsigned char begun[4]; unsigned count; };   /* the first bytes of such a character */

/* False as soon as nothing that follows could make it valid. */
bool ipc_utf8_feed(struct ipc_utf8 *text, const void *bytes, size_t length);

/* Whether it may end here. */
bool ipc_utf8_complete(const struct ipc_utf8 *text);

#endif
