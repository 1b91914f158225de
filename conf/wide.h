/* Text at Windows' edges: UTF-8 inside, UTF-16 in its calls. */
#ifndef CONF_WIDE_H
#define CONF_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

/* False when it is no UTF-8 or longer than `size`, the end's zero included; ret_wide is empty then. */
bool conf_wide(const char *text, wchar_t *ret_wide, size_t size);

/* The reverse; what is no text becomes U+FFFD. */
bool conf_narrow(const wchar_t *wide, char *ret_text, size_t size);

#endif
