/* Bytes stay as they are, text is UTF-8, and words stay what was typed. */
#include "start.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

/* The C library's start reads it: a URL's question mark is no wildcard. */
int _CRT_glob = 0;

const char start_addresses[] = "pipe:\\\\.\\pipe\\fetchd-SID with your SID, then at pipe:\\\\.\\pipe\\fetchd";

static UINT code_page_before;

static void give_code_page_back(void)
{
    SetConsoleOutputCP(code_page_before);
}

/* What goes to a console may move its cursor and clear its lines. */
static void allow_sequences(int fd)
{
    DWORD mode;
    HANDLE console = (HANDLE)_get_osfhandle(fd);
    if (GetConsoleMode(console, &mode))
        SetConsoleMode(console, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
}

void start_process(void)
{
    _fmode = _O_BINARY;
    for (int fd = 0; fd <= 2; fd++)
        _setmode(fd, _O_BINARY);
    allow_sequences(1);
    allow_sequences(2);
    code_page_before = GetConsoleOutputCP();
    if (code_page_before != 0 && code_page_before != CP_UTF8 && SetConsoleOutputCP(CP_UTF8))
        atexit(give_code_page_back);
}
