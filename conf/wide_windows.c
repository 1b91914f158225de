/* MultiByteToWideChar and back. */
#include "wide.h"

#include <windows.h>

bool conf_wide(const char *text, wchar_t *ret_wide, size_t size)
{
    ret_wide[0] = L'\0';
    return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, ret_wide, (int)size) > 0;
}

bool conf_narrow(const wchar_t *wide, char *ret_text, size_t size)
{
    ret_text[0] = '\0';
    return WideCharToMultiByte(CP_UTF8, 0, wide, -1, ret_text, (int)size, NULL, NULL) > 0;
}
