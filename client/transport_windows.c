/* Connecting over a named pipe that nobody else made. */
#include "transport.h"

#include "ipc/endpoint.h"
#include "trust.h"
#include "wide.h"

#include <fcntl.h>
#include <io.h>
#include <string.h>
#include <windows.h>

#include <aclapi.h>

#define BUSY_MS 2000            /* for an instance of the pipe that is free */
#define NAME_CHARACTERS 256

/* What GENERIC_WRITE asks for beyond this is to make instances of the pipe, which no client may. */
#define ACCESS (GENERIC_READ | FILE_WRITE_DATA | FILE_WRITE_ATTRIBUTES | SYNCHRONIZE)

/* Whoever is behind the pipe may learn who we are, and can do nothing in our name. */
#define FLAGS (FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION)

union token_user {
    TOKEN_USER user;
    BYTE bytes[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
};

const char transport_start_hint[] =
    "start one with `fetchd` for yourself, or `fetchd service start` for the system";

static int fail_windows(struct transport_failure *failure, DWORD error)
{
    char reason[200];
    enum ipc_error_code code = IPC_ERROR_DAEMON_LOST;
    wide_error(error, reason, sizeof reason);
    if (error == ERROR_ACCESS_DENIED)
        code = IPC_ERROR_ACCESS_DENIED;
    else if (error == ERROR_PIPE_BUSY || error == ERROR_SEM_TIMEOUT)
        code = IPC_ERROR_OVERLOADED;
    transport_fail(failure, code, "%s", code == IPC_ERROR_OVERLOADED ? "it takes no more connections now" : reason);
    failure->absent = error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND;
    return -1;
}

/* ---- who is there ---- */

#define ALLOWED "neither the system's, an administrator's, yours nor $FETCHD_USER's"

static int check_owner(HANDLE pipe, const char *address, struct transport_failure *failure)
{
    PSECURITY_DESCRIPTOR descriptor;
    PSID owner;
    DWORD error = GetSecurityInfo(pipe, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL, NULL,
                                  &descriptor);
    if (error != ERROR_SUCCESS)
        return fail_windows(failure, error);
    bool trusted = owner && trust_user(owner, address);
    LocalFree(descriptor);
    return trusted ? 0 : transport_fail(failure, IPC_ERROR_ACCESS_DENIED, "the pipe is " ALLOWED ": not connecting");
}

static bool process_user(DWORD process_id, union token_user *ret_user)
{
    HANDLE token, process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, process_id);
    DWORD size;
    if (!process)
        return false;
    bool opened = OpenProcessToken(process, TOKEN_QUERY, &token);
    CloseHandle(process);
    if (!opened)
        return false;
    bool known = GetTokenInformation(token, TokenUser, ret_user, sizeof *ret_user, &size);
    CloseHandle(token);
    return known;
}

/* The pipe's owner is who made its first instance, and who may make more. The process behind this instance tells as
 * well, but a service hides it from users; then the owner's word is enough. */
static int check_peer(HANDLE pipe, const char *address, struct transport_failure *failure)
{
    union token_user user;
    ULONG process_id;
    if (GetFileType(pipe) != FILE_TYPE_PIPE || !GetNamedPipeServerProcessId(pipe, &process_id))
        return transport_fail(failure, IPC_ERROR_REQUEST_INVALID, "that is not a pipe");
    if (check_owner(pipe, address, failure) < 0)
        return -1;
    if (process_user(process_id, &user) && !trust_user(user.user.User.Sid, address))
        return transport_fail(failure, IPC_ERROR_ACCESS_DENIED, "process %lu listens there and is " ALLOWED ": not connecting",
                    process_id);
    return 0;
}

/* ---- opening ---- */

/* All instances may be taken for a moment. */
static HANDLE open_pipe(const wchar_t *name)
{
    ULONGLONG end_ms = GetTickCount64() + BUSY_MS, now_ms;
    for (;;) {
        HANDLE pipe = CreateFileW(name, ACCESS, 0, NULL, OPEN_EXISTING, FLAGS, NULL);
        if (pipe != INVALID_HANDLE_VALUE || GetLastError() != ERROR_PIPE_BUSY)
            return pipe;
        now_ms = GetTickCount64();
        if (now_ms >= end_ms || !WaitNamedPipeW(name, (DWORD)(end_ms - now_ms))) {
            SetLastError(ERROR_PIPE_BUSY);
            return pipe;
        }
    }
}

int transport_connect(const char *address, struct transport_failure *ret_failure)
{
    const char *reason;
    wchar_t name[NAME_CHARACTERS];
    const char *path = ipc_endpoint_path(address, &reason);
    if (!path)
        return transport_fail(ret_failure, IPC_ERROR_REQUEST_INVALID, "%s", reason);
    if (wide_from_utf8(path, name, NAME_CHARACTERS) < 0)
        return transport_fail(ret_failure, IPC_ERROR_REQUEST_INVALID, "the pipe's name is not UTF-8");
    HANDLE pipe = open_pipe(name);
    if (pipe == INVALID_HANDLE_VALUE)
        return fail_windows(ret_failure, GetLastError());
    if (check_peer(pipe, address, ret_failure) < 0) {
        CloseHandle(pipe);
        return -1;
    }
    int fd = _open_osfhandle((intptr_t)pipe, _O_BINARY);
    if (fd >= 0)
        return fd;
    CloseHandle(pipe);
    return fail_windows(ret_failure, ERROR_TOO_MANY_OPEN_FILES);
}
