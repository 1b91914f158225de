/* UTF-8 to UTF-16, and what errors mean. */
#include "wide.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

int wide_from_utf8(const char *text, wchar_t *ret_wide, size_t characters)
{
    int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, ret_wide, (int)characters);
    return length > 0 ? 0 : -1;
}

wchar_t *wide_copy(const char *text)
{
    int characters = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
    if (characters <= 0) {
        errno = EILSEQ;
        return NULL;
    }
    wchar_t *wide = malloc((size_t)characters * sizeof *wide);
    if (wide)
        wide_from_utf8(text, wide, (size_t)characters);
    else
        errno = ENOMEM;
    return wide;
}

void wide_error(unsigned long error, char *ret_text, size_t size)
{
    wchar_t wide[256];
    DWORD flags = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS | FORMAT_MESSAGE_MAX_WIDTH_MASK;
    DWORD length = FormatMessageW(flags, NULL, error, 0, wide, sizeof wide / sizeof wide[0], NULL);
    int bytes = WideCharToMultiByte(CP_UTF8, 0, wide, (int)length, ret_text, (int)size - 1, NULL, NULL);
    while (bytes > 0 && strchr(" .\r\n", ret_text[bytes - 1]))
        bytes--;
    ret_text[bytes > 0 ? bytes : 0] = '\0';
    if (bytes <= 0)
        snprintf(ret_text, size, "error %lu of Windows", error);
}
