/* Lines for people. */
#include "say.h"

#include <stdarg.h>

/* The length of the control character at `text`, 0 for none: C0, DEL, and C1 as UTF-8 has it, with which
 * some terminals can be commanded as well. */
static size_t control_length(const char *text)
{
    unsigned char first = (unsigned char)text[0], second = first ? (unsigned char)text[1] : 0;
    if (first == 0xc2 && second >= 0x80 && second <= 0x9f)
        return 2;
    return first < 0x20 || first == 0x7f;
}

void say_foreign(FILE *out, const char *text)
{
    while (*text) {
        size_t length = control_length(text);
        putc(length > 0 ? '?' : *text, out);
        text += length > 0 ? length : 1;
    }
}

void say(const char *format, ...)
{
    char line[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fputs("fetchctl: ", stderr);
    say_foreign(stderr, line);
    putc('\n', stderr);
}
