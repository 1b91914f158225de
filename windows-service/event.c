#include "event.h"

#include "messages.h"
#include "wide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE L"fetchd"
#define SOURCE_KEY L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\fetchd"
#define TEXT_BYTES 4096
#define BURST 60
#define BURST_MS 60000

static HANDLE source;
static SRWLOCK lock = SRWLOCK_INIT;
static ULONGLONG burst_began_ms;
static unsigned reported, left_out;

static DWORD set_value(HKEY key, const wchar_t *name, DWORD type, const void *value, size_t size)
{
    return (DWORD)RegSetValueExW(key, name, 0, type, value, (DWORD)size);
}

DWORD event_register(const wchar_t *program)
{
    DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
    HKEY key;
    DWORD error =
        (DWORD)RegCreateKeyExW(HKEY_LOCAL_MACHINE, SOURCE_KEY, 0, NULL, 0, KEY_SET_VALUE, NULL, &key, NULL);
    if (error != ERROR_SUCCESS)
        return error;
    error =
        set_value(key, L"EventMessageFile", REG_EXPAND_SZ, program, (wcslen(program) + 1) * sizeof *program);
    if (error == ERROR_SUCCESS)
        error = set_value(key, L"TypesSupported", REG_DWORD, &types, sizeof types);
    RegCloseKey(key);
    return error;
}

DWORD event_unregister(void)
{
    DWORD error = (DWORD)RegDeleteKeyW(HKEY_LOCAL_MACHINE, SOURCE_KEY);
    return error == ERROR_FILE_NOT_FOUND ? ERROR_SUCCESS : error;
}

void event_open(void)
{
    source = RegisterEventSourceW(NULL, SOURCE);
}

/* So many a minute; the ones above are counted. */
static unsigned may_report(unsigned *ret_left_out)
{
    ULONGLONG now_ms = GetTickCount64();
    if (now_ms - burst_began_ms >= BURST_MS) {
        burst_began_ms = now_ms;
        reported = 0;
    }
    if (reported == BURST) {
        left_out++;
        return 0;
    }
    *ret_left_out = left_out;
    left_out = 0;
    return ++reported;
}

/* The Event Viewer replaces %1 and %%1 in what it is given too: a percent sign before a digit or another one
 * is shown as an escape, like whatever else the log escapes. */
static void escape(const char *text, char *ret_text, size_t size)
{
    size_t used = 0;
    for (; *text && used + 5 < size; text++) {
        if (*text == '%' && (text[1] == '%' || text[1] == '!' || (text[1] >= '0' && text[1] <= '9')))
            used += (size_t)snprintf(ret_text + used, size - used, "\\x25");
        else
            ret_text[used++] = *text;
    }
    ret_text[used] = '\0';
}

static void report(int level, const char *text)
{
    static const struct {
        WORD type;
        DWORD message;
    } kinds[] = {
        { EVENTLOG_INFORMATION_TYPE, MESSAGE_INFORMATION },
        { EVENTLOG_WARNING_TYPE, MESSAGE_WARNING },
        { EVENTLOG_ERROR_TYPE, MESSAGE_ERROR },
    };
    size_t kind = level <= 3 ? 2 : level == 4 ? 1 : 0;
    char escaped[TEXT_BYTES];
    wchar_t wide[TEXT_BYTES];
    const wchar_t *strings[] = { wide };
    escape(text, escaped, sizeof escaped);
    wide_from(escaped, wide, TEXT_BYTES);
    ReportEventW(source, kinds[kind].type, 0, kinds[kind].message, NULL, 1, 0, strings, NULL);
}

void event_report(int level, const char *text)
{
    char note[80];
    unsigned missed = 0;
    if (!source)
        return;
    AcquireSRWLockExclusive(&lock);
    unsigned allowed = may_report(&missed);
    ReleaseSRWLockExclusive(&lock);
    if (!allowed)
        return;
    if (missed > 0) {
        snprintf(note, sizeof note, "%u more warnings and errors are in the log file only", missed);
        report(4, note);
    }
    report(level, text);
}
