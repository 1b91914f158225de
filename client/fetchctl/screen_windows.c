/* The console: keys are its events, and so is a window that changes. */
#include "screen_platform.h"

#include "interrupt.h"

#include <windows.h>

static HANDLE keys;
static DWORD mode_before;
static bool has_keys;            /* stdin is a console, too */

int screen_enter(void)
{
    if (interrupt_catch() < 0)
        return -1;
    keys = GetStdHandle(STD_INPUT_HANDLE);
    has_keys = GetConsoleMode(keys, &mode_before)
        && SetConsoleMode(keys, ENABLE_PROCESSED_INPUT | ENABLE_WINDOW_INPUT | ENABLE_EXTENDED_FLAGS);
    screen_show(true);
    return 0;
}

void screen_leave(void)
{
    screen_show(false);
    if (has_keys)
        SetConsoleMode(keys, mode_before);
}

static enum screen_key take_key(void)
{
    INPUT_RECORD record;
    DWORD count;
    if (!ReadConsoleInputW(keys, &record, 1, &count)) {
        has_keys = false;
        return SCREEN_TIME;
    }
    if (record.EventType == WINDOW_BUFFER_SIZE_EVENT)
        return SCREEN_REDRAW;
    bool pressed = record.EventType == KEY_EVENT && record.Event.KeyEvent.bKeyDown;
    wchar_t key = pressed ? record.Event.KeyEvent.uChar.UnicodeChar : 0;
    return key == L'q' || key == L'Q' ? SCREEN_QUIT : SCREEN_TIME;
}

enum screen_key screen_wait(int timeout_ms)
{
    ULONGLONG end_ms = GetTickCount64() + (ULONGLONG)timeout_ms, now_ms;
    enum screen_key key = SCREEN_TIME;
    while (key == SCREEN_TIME && (now_ms = GetTickCount64()) < end_ms) {
        HANDLE events[2] = { interrupt_event(), keys };
        DWORD ended = WaitForMultipleObjects(has_keys ? 2 : 1, events, FALSE, (DWORD)(end_ms - now_ms));
        if (ended == WAIT_OBJECT_0 && interrupt_take() != 0)
            key = SCREEN_QUIT;
        else if (ended == WAIT_OBJECT_0 + 1)
            key = take_key();
    }
    return key;
}
