/* Text as Windows wants it. The library can't know its host's code page, so it calls what takes UTF-16. */
#ifndef CLIENT_WIDE_H
#define CLIENT_WIDE_H

#include <stddef.h>
#include <wchar.h>

/* 0, or -1 for what is no UTF-8 or does not fit into so many characters with its NUL. */
int wide_from_utf8(const char *text, wchar_t *ret_wide, size_t characters);

/* The same into memory of its own, to be freed. NULL with errno set (EILSEQ, ENOMEM). */
wchar_t *wide_copy(const char *text);

/* What an error of Windows means, as one line of UTF-8. */
void wide_error(unsigned long error, char *ret_text, size_t size);

#endif
