/* Runs a command line and, when a line comes on stdin, lets it have a Ctrl+Break as the console does: by a thread in it
 * at CtrlRoutine. (SIGINT becomes a Ctrl+C under Wine; no signal becomes a Ctrl+Break, and GenerateConsoleCtrlEvent
 * wants a console of Windows.) Ends with the command's exit code. */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

static void press(HANDLE process)
{
    FARPROC routine = GetProcAddress(GetModuleHandleA("kernelbase.dll"), "CtrlRoutine");
    LPTHREAD_START_ROUTINE start = (LPTHREAD_START_ROUTINE)(void (*)(void))routine;
    HANDLE thread = routine ? CreateRemoteThread(process, NULL, 0, start, (void *)CTRL_BREAK_EVENT, 0, NULL) : NULL;
    if (thread)
        CloseHandle(thread);
    else
        fprintf(stderr, "press_break: error %lu\n", GetLastError());
}

int main(int argc, char **argv)
{
    STARTUPINFOA startup = { .cb = sizeof startup };
    PROCESS_INFORMATION process;
    char line[16];
    DWORD code = EXIT_FAILURE;
    if (argc != 2 || !CreateProcessA(NULL, argv[1], NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process)) {
        fprintf(stderr, "press_break: error %lu\n", GetLastError());
        return EXIT_FAILURE;
    }
    if (fgets(line, sizeof line, stdin))
        press(process.hProcess);
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &code);
    return (int)code;
}
