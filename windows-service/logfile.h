/* The log file of the service, which has no terminal: stderr goes there. Grown too large it becomes FILE.1,
 * which it replaces, and begins anew. */
#ifndef WINDOWS_SERVICE_LOGFILE_H
#define WINDOWS_SERVICE_LOGFILE_H

#include <windows.h>

#include <stdint.h>

/* stderr, and so what a child inherits as such, is `path` from now on, appended to. 0 or Windows' error: then
 * it is what it was. */
DWORD logfile_open(const wchar_t *path);

/* To be called now and then by the thread that logs. */
void logfile_check(uint64_t limit_bytes);

#endif
