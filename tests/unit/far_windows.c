/* Both ends of a named pipe. */
#include "far.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <windows.h>

#define PIPE_BYTES (64 * 1024)

/* As the daemon and its clients open them. */
static int open_ends(HANDLE *ret_server, HANDLE *ret_client)
{
    static unsigned number;
    char name[80];
    snprintf(name, sizeof name, "\\\\.\\pipe\\fetchd-unit-%lu-%u", GetCurrentProcessId(), number++);
    *ret_server = CreateNamedPipeA(name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                                   PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1,
                                   PIPE_BYTES, PIPE_BYTES, 0, NULL);
    if (*ret_server == INVALID_HANDLE_VALUE)
        return -1;
    *ret_client = CreateFileA(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                              FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, NULL);
    return *ret_client == INVALID_HANDLE_VALUE ? -1 : 0;
}

int far_channels(int ret_pair[2])
{
    HANDLE server, client;
    if (open_ends(&server, &client) < 0)
        return -1;
    ret_pair[0] = _open_osfhandle((intptr_t)server, 0);
    ret_pair[1] = _open_osfhandle((intptr_t)client, 0);
    return 0;
}

int far_pair(int *ret_own, int *ret_other)
{
    int pair[2];
    if (far_channels(pair) < 0)
        return -1;
    *ret_own = pair[0];
    *ret_other = pair[1];
    return 0;
}

/* What does not happen at once is taken back. */
static ssize_t finish(HANDLE pipe, BOOL done, OVERLAPPED *overlapped)
{
    DWORD bytes = 0;
    if (!done && GetLastError() == ERROR_IO_PENDING)
        CancelIoEx(pipe, overlapped);
    if (done || GetLastError() == ERROR_IO_PENDING || GetLastError() == ERROR_NOT_FOUND)
        done = GetOverlappedResult(pipe, overlapped, &bytes, TRUE);
    DWORD error = done ? 0 : GetLastError();
    CloseHandle(overlapped->hEvent);
    if (done)
        return (ssize_t)bytes;
    if (error == ERROR_BROKEN_PIPE)
        return 0;
    errno = error == ERROR_OPERATION_ABORTED ? EAGAIN : EPIPE;
    return -1;
}

ssize_t far_read(int stream, void *place, size_t size)
{
    HANDLE pipe = (HANDLE)_get_osfhandle(stream);
    OVERLAPPED overlapped = { .hEvent = CreateEventA(NULL, TRUE, FALSE, NULL) };
    return finish(pipe, ReadFile(pipe, place, (DWORD)size, NULL, &overlapped), &overlapped);
}

/* In small pieces: a piece that does not fit is taken back whole. */
ssize_t far_write(int stream, const void *data, size_t size)
{
    HANDLE pipe = (HANDLE)_get_osfhandle(stream);
    OVERLAPPED overlapped = { .hEvent = CreateEventA(NULL, TRUE, FALSE, NULL) };
    DWORD bytes = size < 4096 ? (DWORD)size : 4096;
    return finish(pipe, WriteFile(pipe, data, bytes, NULL, &overlapped), &overlapped);
}

void far_close(int stream)
{
    _close(stream);
}

int far_none(void)
{
    return _open("NUL", _O_RDWR);
}
