/* A control event of the console becomes an event to wait for. */
#include "interrupt.h"

#include <signal.h>
#include <stdlib.h>
#include <windows.h>

static HANDLE event;
static volatile LONG number;       /* the first one, until it is taken */
static volatile LONG told;

/* In a thread of the system's. Closing the window ends the process when this returns, so it does not. */
static BOOL WINAPI on_control(DWORD type)
{
    if (InterlockedExchange(&told, 1) != 0)
        return FALSE;
    InterlockedExchange(&number, type == CTRL_C_EVENT ? SIGINT : SIGTERM);
    SetEvent(event);
    if (type != CTRL_C_EVENT && type != CTRL_BREAK_EVENT)
        Sleep(INFINITE);
    return TRUE;
}

int interrupt_catch(void)
{
    event = CreateEventW(NULL, TRUE, FALSE, NULL);
    return event && SetConsoleCtrlHandler(on_control, TRUE) ? 0 : -1;
}

void *interrupt_event(void)
{
    return event;
}

int interrupt_take(void)
{
    if (event)
        ResetEvent(event);
    return InterlockedExchange(&number, 0);
}

void interrupt_end(int which)
{
    if (which == SIGINT)
        ExitProcess((UINT)0xc000013a);   /* STATUS_CONTROL_C_EXIT: cmd.exe asks whether to stop its batch */
}
