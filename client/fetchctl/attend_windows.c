/* Waiting for events. An input that is a pipe has no event: a thread waits there with a read of no bytes, which ends when
 * there is something to read. A console becomes a pipe of lines first. */
#include "attend.h"

#include "interrupt.h"

#include <fcntl.h>
#include <io.h>
#include <process.h>
#include <stdlib.h>
#include <windows.h>

#define LINE_CHARACTERS 4096
#define CONSOLE_PIPE_BYTES 65536

/* The one input that is waited for; a command has no more. */
static struct {
    HANDLE pipe;
    HANDLE wanted, there;      /* events: the thread shall look; reading does not wait */
} source;

/* ---- pipes ---- */

static unsigned __stdcall look(void *data)
{
    (void)data;
    char nothing;
    DWORD got;
    while (WaitForSingleObject(source.wanted, INFINITE) == WAIT_OBJECT_0) {
        ReadFile(source.pipe, &nothing, 0, &got, NULL);
        SetEvent(source.there);
    }
    return 0;
}

static bool begin_thread(unsigned (__stdcall *run)(void *), void *data)
{
    uintptr_t thread = _beginthreadex(NULL, 0, run, data, 0, NULL);
    if (thread != 0)
        CloseHandle((HANDLE)thread);
    return thread != 0;
}

static bool watch_pipe(HANDLE pipe)
{
    if (source.pipe)
        return source.pipe == pipe;
    source.pipe = pipe;
    source.wanted = CreateEventW(NULL, FALSE, FALSE, NULL);
    source.there = CreateEventW(NULL, TRUE, FALSE, NULL);
    return source.wanted && source.there && begin_thread(look, NULL);
}

/* ---- the console ---- */

struct console {
    HANDLE lines;
    int to;
};

static bool write_line(int to, const wchar_t *line, DWORD length)
{
    char bytes[3 * LINE_CHARACTERS];
    int size = WideCharToMultiByte(CP_UTF8, 0, line, (int)length, bytes, sizeof bytes, NULL, NULL);
    return _write(to, bytes, (unsigned)size) == size;
}

/* Until Ctrl-Z at the beginning of a line. */
static unsigned __stdcall copy_lines(void *data)
{
    struct console *console = data;
    wchar_t line[LINE_CHARACTERS];
    DWORD length;
    while (ReadConsoleW(console->lines, line, LINE_CHARACTERS, &length, NULL) && length > 0 && line[0] != 26)
        if (!write_line(console->to, line, length))
            break;
    _close(console->to);
    free(console);
    return 0;
}

/* From here on the descriptor is the pipe's end. */
static void replace_console(int fd)
{
    int ends[2];
    DWORD mode;
    HANDLE lines = (HANDLE)_get_osfhandle(fd), own;
    struct console *console = malloc(sizeof *console);
    if (!console || !GetConsoleMode(lines, &mode) || _pipe(ends, CONSOLE_PIPE_BYTES, _O_BINARY | _O_NOINHERIT) < 0
        || !DuplicateHandle(GetCurrentProcess(), lines, GetCurrentProcess(), &own, 0, FALSE, DUPLICATE_SAME_ACCESS)) {
        free(console);
        return;
    }
    *console = (struct console){ .lines = own, .to = ends[1] };
    _dup2(ends[0], fd);
    _close(ends[0]);
    if (!begin_thread(copy_lines, console))
        _close(ends[1]);
}

/* The event that is set when the input can be read; NULL when that is always so. */
static HANDLE watch_input(int fd)
{
    DWORD mode;
    HANDLE handle = (HANDLE)_get_osfhandle(fd);
    if (GetConsoleMode(handle, &mode)) {
        replace_console(fd);
        handle = (HANDLE)_get_osfhandle(fd);
    }
    return GetFileType(handle) == FILE_TYPE_PIPE && watch_pipe(handle) ? source.there : NULL;
}

bool attend_readable(int fd)
{
    DWORD there;
    if (!watch_input(fd))
        return true;
    return !PeekNamedPipe(source.pipe, NULL, 0, NULL, &there, NULL) || there > 0;   /* its end is read as well */
}

/* ---- all ---- */

int attend(struct attend *what)
{
    HANDLE events[3] = { fetchd_handle(what->client) };
    DWORD count = 1;
    what->has_interrupt = false;
    what->has_input = what->input >= 0 && attend_readable(what->input);
    if (what->interrupts)
        events[count++] = interrupt_event();
    if (what->input >= 0 && !what->has_input) {
        ResetEvent(source.there);
        SetEvent(source.wanted);
        events[count++] = source.there;
    }
    DWORD timeout_ms = what->timeout_ms < 0 ? INFINITE : (DWORD)what->timeout_ms;
    DWORD ended = WaitForMultipleObjects(count, events, FALSE, what->has_input ? 0 : timeout_ms);
    what->has_interrupt = what->interrupts && WaitForSingleObject(interrupt_event(), 0) == WAIT_OBJECT_0;
    what->has_input = what->input >= 0 && attend_readable(what->input);
    return ended != WAIT_TIMEOUT || what->has_input;
}

void attend_clients(struct fetchd_client *const *clients, size_t count, bool *ret_ready)
{
    HANDLE events[ATTEND_MOST] = { NULL };
    for (size_t i = 0; i < count; i++)
        events[i] = fetchd_handle(clients[i]);
    WaitForMultipleObjects((DWORD)count, events, FALSE, INFINITE);
    for (size_t i = 0; i < count; i++)
        ret_ready[i] = WaitForSingleObject(events[i], 0) == WAIT_OBJECT_0;
}

void attend_time(int timeout_ms)
{
    Sleep((DWORD)timeout_ms);
}
