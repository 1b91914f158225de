/* And what mingw-w64 lacks of it, or declares only when asked. */
#ifndef PORTABLE_TIME_H
#define PORTABLE_TIME_H

#ifndef _POSIX_THREAD_SAFE_FUNCTIONS
#define _POSIX_THREAD_SAFE_FUNCTIONS 200809L
#endif
#include_next <time.h>

time_t timegm(struct tm *broken);

/* %a %A %b %B %d %e %H %M %S %T %Y %y %m and %%, English names. */
char *strptime(const char *text, const char *format, struct tm *ret_broken);

#endif
