/* Text between UTF-8, which is ours, and UTF-16, which is Windows'. */
#ifndef WINDOWS_SERVICE_WIDE_H
#define WINDOWS_SERVICE_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

/* Converts; what is not UTF-8 or UTF-16 becomes U+FFFD. Always ends with a NUL. False when
 * it did not fit: then the result is empty. `size` in units of ret_text. */
bool wide_from(const char *text, wchar_t *ret_text, size_t size);
bool wide_to(const wchar_t *text, char *ret_text, size_t size);

#endif
