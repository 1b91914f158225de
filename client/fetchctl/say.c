/* Lines for people. */
#include "say.h"

#include <stdarg.h>

void say_foreign(FILE *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        putc(c < 0x20 || c == 0x7f ? '?' : c, out);
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
