/* Events of the source "fetchd" in Windows' Application log. */
#ifndef WINDOWS_SERVICE_EVENT_H
#define WINDOWS_SERVICE_EVENT_H

#include <windows.h>

/* The source: where the Event Viewer finds the texts (`program` carries them). 0 or Windows' error. */
DWORD event_register(const wchar_t *program);
DWORD event_unregister(void);

/* Writes events from now on; any thread may then report. */
void event_open(void);

/* One event; `level` as in syslog, `text` UTF-8 without control characters. A burst is cut off, and how much
 * was left out is told by the next one: the log is the whole machine's. */
void event_report(int level, const char *text);

#endif
