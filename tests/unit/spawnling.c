/* What test_spawn_windows.c starts for a worker: does what the byte on its channel says. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

/* As ReadFile or WriteFile does. */
static void overlapped(BOOL (WINAPI *move)(HANDLE, void *, DWORD, DWORD *, OVERLAPPED *), void *place, DWORD size)
{
    OVERLAPPED state = { .hEvent = CreateEventW(NULL, TRUE, FALSE, NULL) };
    HANDLE channel = GetStdHandle(STD_INPUT_HANDLE);
    DWORD moved = 0;
    if (!move(channel, place, size, NULL, &state) && GetLastError() == ERROR_IO_PENDING)
        WaitForSingleObject(state.hEvent, INFINITE);
    if (!GetOverlappedResult(channel, &state, &moved, TRUE) || moved == 0)
        exit(0);   /* the channel was closed */
    CloseHandle(state.hEvent);
}

static BOOL WINAPI write_file(HANDLE file, void *place, DWORD size, DWORD *moved, OVERLAPPED *state)
{
    return WriteFile(file, place, size, moved, state);
}

/* What it is told is a handle of its parent's: true when it is one here too. */
static bool has_handle(void)
{
    uint64_t value;
    overlapped(ReadFile, &value, sizeof value);
    return GetFileType((HANDLE)(uintptr_t)value) == FILE_TYPE_DISK;
}

static bool has_variable(void)
{
    char value[100];
    return GetEnvironmentVariableA("UNIT_SECRET", value, sizeof value) > 0;
}

static bool has_a_job(void)
{
    BOOL within = FALSE;
    return IsProcessInJob(GetCurrentProcess(), NULL, &within) && within;
}

static void answer(bool yes)
{
    char byte = yes ? 'y' : 'n';
    overlapped(write_file, &byte, 1);
}

int main(void)
{
    for (;;) {
        char order = 0;
        overlapped(ReadFile, &order, 1);
        switch (order) {
        case 'h': answer(has_handle()); break;
        case 'v': answer(has_variable()); break;
        case 'j': answer(has_a_job()); break;
        case 'l': fputs("a line\n", stderr); fflush(stderr); answer(true); break;
        case 'a': abort();
        case 'c': RaiseException(EXCEPTION_ACCESS_VIOLATION, 0, 0, NULL); break;
        case 's': RaiseException(EXCEPTION_STACK_OVERFLOW, 0, 0, NULL); break;
        case 'i': RaiseException(EXCEPTION_ILLEGAL_INSTRUCTION, 0, 0, NULL); break;
        case '7': return 7;
        default: return 1;
        }
    }
}
