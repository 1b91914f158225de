/* Limits and counts on Windows, where nothing bounds the handles of a process. */
#include "vitals.h"

#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <windows.h>
/* After windows.h. */
#include <psapi.h>

#define STDERR 2

/* Ports that Windows gives to outgoing connections, 49152 to 65535 (RFC 6335, 6), less some for others. */
#define CONNECTIONS_MOST 16000

#define SILENT (SEM_FAILCRITICALERRORS | SEM_NOOPENFILEERRORBOX)

void vitals_prepare(void)
{
    SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
    _set_error_mode(_OUT_TO_STDERR);
    _setmode(STDERR, _O_BINARY);
    vitals_allow_core(false);
}

/* A crash must end the process at once: no window to press a button in, and no Windows Error Reporting, which
 * writes the dump, unless it may. */
void vitals_allow_core(bool allowed)
{
    SetErrorMode(allowed ? SILENT : SILENT | SEM_NOGPFAULTERRORBOX);
}

unsigned vitals_connection_limit(void)
{
    return CONNECTIONS_MOST;
}

unsigned vitals_open_fds(void)
{
    DWORD count;
    return GetProcessHandleCount(GetCurrentProcess(), &count) ? (unsigned)count : 0;
}

/* What this process alone has taken. Its working set is what it used of late: Windows trims it, and a leak
 * would not show. */
size_t vitals_rss_bytes(void)
{
    PROCESS_MEMORY_COUNTERS counters;
    if (!GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof counters))
        return 0;
    return counters.PagefileUsage;   /* PrivateUsage is the same, and Wine does not know it */
}
