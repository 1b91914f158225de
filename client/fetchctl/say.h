/* What fetchctl tells people: one line on stderr, foreign text made harmless for a terminal. */
#ifndef FETCHCTL_SAY_H
#define FETCHCTL_SAY_H

#include <stdio.h>

/* "fetchctl: ..." and a newline. */
void __attribute__((format(gnu_printf, 1, 2))) say(const char *format, ...);

/* Prints text with control bytes as '?', so that no origin can write to a terminal through us. */
void say_foreign(FILE *out, const char *text);

#endif
