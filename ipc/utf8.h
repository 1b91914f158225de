/* UTF-8 by RFC 3629: shortest forms only, no surrogates, nothing above U+10FFFF. Pure. */
#ifndef IPC_UTF8_H
#define IPC_UTF8_H

#include <stdbool.h>
#include <stddef.h>

bool ipc_utf8_valid(const void *bytes, size_t length);

/* The length of the longest valid text that `bytes` begin with. */
size_t ipc_utf8_prefix(const void *bytes, size_t length);

#endif
