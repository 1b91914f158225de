#include "wide.h"

#include <windows.h>

bool wide_from(const char *text, wchar_t *ret_text, size_t size)
{
    bool fits = MultiByteToWideChar(CP_UTF8, 0, text, -1, ret_text, (int)size) > 0;
    if (!fits)
        ret_text[0] = L'\0';
    return fits;
}

bool wide_to(const wchar_t *text, char *ret_text, size_t size)
{
    bool fits = WideCharToMultiByte(CP_UTF8, 0, text, -1, ret_text, (int)size, NULL, NULL) > 0;
    if (!fits)
        ret_text[0] = '\0';
    return fits;
}
