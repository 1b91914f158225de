/* Waiting for events. An input that is a pipe has no event: a thread waits there with a read of no bytes, which
 * ends when there is something to read. A console becomes a pipe first. */
#include "attend.h"

#include "interrupt.h"

#include <fcntl.h>
#include <io.h>
#include <process.h>
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

#define LINE_CHARACTERS 4096
#define EXIT_OUT_OF_MEMORY 27
#define COPY_PIPE_BYTES 65536

/* The one input that is waited for; a command has no more. */
static struct {
    HANDLE pipe;
    HANDLE wanted, there;      /* events: the thread shall look; it has seen something */
    bool is_looked_at;         /* nobody else may do anything with the pipe: he would wait as well */
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

/* ---- what must become one first ---- */

struct copy {
    HANDLE from;
    int to;
};

/* Until Ctrl-Z at the beginning of a line. */
static int read_line(HANDLE console, char bytes[3 * LINE_CHARACTERS])
{
    wchar_t line[LINE_CHARACTERS];
    DWORD length;
    if (!ReadConsoleW(console, line, LINE_CHARACTERS, &length, NULL) || length == 0 || line[0] == 26)
        return 0;
    return WideCharToMultiByte(CP_UTF8, 0, line, (int)length, bytes, 3 * LINE_CHARACTERS, NULL, NULL);
}

static int read_bytes(HANDLE from, char bytes[3 * LINE_CHARACTERS])
{
    DWORD length;
    return ReadFile(from, bytes, 3 * LINE_CHARACTERS, &length, NULL) ? (int)length : 0;
}

static unsigned __stdcall copy_all(void *data)
{
    struct copy *copy = data;
    char bytes[3 * LINE_CHARACTERS];
    DWORD mode;
    int (*read_some)(HANDLE, char *) = GetConsoleMode(copy->from, &mode) ? read_line : read_bytes;
    int length;
    while ((length = read_some(copy->from, bytes)) > 0 && _write(copy->to, bytes, (unsigned)length) == length)
        ;
    _close(copy->to);
    free(copy);
    return 0;
}

/* From here on the descriptor is a pipe's end. */
static void replace_input(int fd)
{
    int ends[2];
    HANDLE from;
    struct copy *copy = malloc(sizeof *copy);
    if (!copy || _pipe(ends, COPY_PIPE_BYTES, _O_BINARY | _O_NOINHERIT) < 0
        || !DuplicateHandle(GetCurrentProcess(), (HANDLE)_get_osfhandle(fd), GetCurrentProcess(), &from, 0, FALSE,
                            DUPLICATE_SAME_ACCESS)) {
        free(copy);
        return;
    }
    *copy = (struct copy){ .from = from, .to = ends[1] };
    _dup2(ends[0], fd);
    _close(ends[0]);
    if (!begin_thread(copy_all, copy))
        _close(ends[1]);
}

/* A console tells of keys and not of lines; a pipe of another system's, as Wine has them, tells nothing. */
static bool must_be_replaced(HANDLE handle)
{
    DWORD mode, there;
    if (GetFileType(handle) == FILE_TYPE_CHAR)
        return GetConsoleMode(handle, &mode);
    return GetFileType(handle) == FILE_TYPE_PIPE && !PeekNamedPipe(handle, NULL, 0, NULL, &there, NULL)
        && GetLastError() != ERROR_BROKEN_PIPE;
}

/* False for what never waits. */
static bool watch_input(int fd)
{
    HANDLE handle = (HANDLE)_get_osfhandle(fd);
    if (handle == source.pipe)
        return true;
    if (must_be_replaced(handle)) {
        replace_input(fd);
        handle = (HANDLE)_get_osfhandle(fd);
    }
    return GetFileType(handle) == FILE_TYPE_PIPE && watch_pipe(handle);
}

bool attend_readable(int fd)
{
    DWORD there;
    if (source.is_looked_at && WaitForSingleObject(source.there, 0) != WAIT_OBJECT_0)
        return false;
    source.is_looked_at = false;
    if (!watch_input(fd))
        return true;
    return !PeekNamedPipe(source.pipe, NULL, 0, NULL, &there, NULL) || there > 0;   /* its end is read as well */
}

/* ---- all ---- */

/* Without one nothing would ever end the wait. */
static HANDLE event_of(struct fetchd_client *client)
{
    HANDLE event = fetchd_handle(client);
    if (event)
        return event;
    fputs("fetchctl: (27) out_of_memory: no event to wait for the daemon with\n", stderr);
    exit(EXIT_OUT_OF_MEMORY);
}

static HANDLE look_at_input(void)
{
    if (!source.is_looked_at) {
        source.is_looked_at = true;
        ResetEvent(source.there);
        SetEvent(source.wanted);
    }
    return source.there;
}

int attend(struct attend *what)
{
    HANDLE events[3] = { event_of(what->client) };
    DWORD count = 1;
    what->has_interrupt = false;
    what->has_input = what->input >= 0 && attend_readable(what->input);
    if (what->interrupts)
        events[count++] = interrupt_event();
    if (what->input >= 0 && !what->has_input)
        events[count++] = look_at_input();
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
        events[i] = event_of(clients[i]);
    WaitForMultipleObjects((DWORD)count, events, FALSE, INFINITE);
    for (size_t i = 0; i < count; i++)
        ret_ready[i] = WaitForSingleObject(events[i], 0) == WAIT_OBJECT_0;
}

void attend_time(int timeout_ms)
{
    Sleep((DWORD)timeout_ms);
}
