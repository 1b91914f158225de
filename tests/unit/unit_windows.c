/* A process for each test: the same program, told the test's name. */
#include "unit_platform.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

#define MOST_DESCRIPTORS 1024

void unit_prepare(void)
{
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);   /* a crash opens no window */
}

unsigned unit_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < MOST_DESCRIPTORS; fd++)
        count += _get_osfhandle(fd) != -1;
    return count;
}

void unit_pipe(int ret_ends[2])
{
    assert_int_equal(_pipe(ret_ends, 65536, _O_BINARY), 0);
}

void unit_make_folder(char ret_path[UNIT_PATH_BYTES])
{
    char folder[200];
    assert_true(GetTempPathA(sizeof folder, folder) > 0);
    snprintf(ret_path, UNIT_PATH_BYTES, "%sfetchd-unit-%lu", folder, GetCurrentProcessId());
    assert_true(CreateDirectoryA(ret_path, NULL));
}

/* All that the child says; bounded, for what matters is its end. */
static void read_all(HANDLE pipe, char *text, size_t size)
{
    DWORD got;
    size_t length = 0;
    char rest[512];
    while (length < size - 1 && ReadFile(pipe, text + length, (DWORD)(size - 1 - length), &got, NULL) && got > 0)
        length += got;
    while (ReadFile(pipe, rest, sizeof rest, &got, NULL) && got > 0)
        ;
    text[length] = '\0';
}

static bool start(const char *name, HANDLE output, HANDLE *ret_process)
{
    STARTUPINFOA startup = { .cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES, .hStdOutput = output,
                             .hStdError = output };
    PROCESS_INFORMATION process;
    char program[MAX_PATH], command[MAX_PATH + 300];
    GetModuleFileNameA(NULL, program, sizeof program);
    snprintf(command, sizeof command, "\"%s\" %s", program, name);
    if (!CreateProcessA(program, command, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process))
        return false;
    CloseHandle(process.hThread);
    *ret_process = process.hProcess;
    return true;
}

/* What an exception leaves as the exit code has its highest bits set. */
static void wait_for(HANDLE process, struct unit_end *ret_end)
{
    DWORD code = 1;
    WaitForSingleObject(process, INFINITE);
    GetExitCodeProcess(process, &code);
    ret_end->code = code < 0x80000000 ? (int)code : -1;
    if (ret_end->code < 0)
        snprintf(ret_end->crash, sizeof ret_end->crash, "exception %#lx", code);
    CloseHandle(process);
}

bool unit_run_apart(const struct unit_test *test, char *output, size_t size, struct unit_end *ret_end)
{
    SECURITY_ATTRIBUTES inherited = { .nLength = sizeof inherited, .bInheritHandle = TRUE };
    HANDLE ours, theirs, process;
    if (!CreatePipe(&ours, &theirs, &inherited, 0))
        return false;
    SetHandleInformation(ours, HANDLE_FLAG_INHERIT, 0);
    bool started = start(test->name, theirs, &process);
    CloseHandle(theirs);
    read_all(ours, output, size);
    CloseHandle(ours);
    if (started)
        wait_for(process, ret_end);
    return started;
}
