/* Lines to stderr, one write each, so that those of several threads or libraries don't mix. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

static unsigned most_verbose = LOG_LEVEL_INFO;

void log_set_level(unsigned level)
{
    most_verbose = level;
}

void log_line(enum log_level level, const char *format, ...)
{
    if ((unsigned)level > most_verbose)
        return;
    char line[1024];
    int prefix = snprintf(line, sizeof line, "<%d>", (int)level);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line + prefix, sizeof line - (size_t)prefix - 1, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    size_t end = (size_t)(prefix + length);
    if (end > sizeof line - 2)
        end = sizeof line - 2;
    for (size_t i = (size_t)prefix; i < end; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[end] = '\n';
    fwrite(line, 1, end + 1, stderr);
    fflush(stderr);   /* not every C library leaves it unbuffered, as it should be */
}
