/* CreateProcessAsUser rather than uv_spawn: a worker inherits the two handles that are its own and no others; it
 * begins life in a job that ends it when we end and bounds its memory, and that no child can leave since there may be
 * none; and with a token of our user without privileges, administrators' rights or the right to write what is not
 * marked as low.
 *
 * Its pipes are named ones, for overlapped use, which a nameless one can't be: each has one instance, made
 * and opened here. */
#include "spawn.h"

#include "account.h"

#include "conf/sid.h"
#include "conf/wide.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
/* After windows.h. */
#include <sddl.h>

#define PIPE_BYTES (64 * 1024)
#define PATH_CHARACTERS 4096
#define ATTRIBUTES 4

static const DWORD64 mitigations =
    PROCESS_CREATION_MITIGATION_POLICY_DEP_ENABLE
    | PROCESS_CREATION_MITIGATION_POLICY_FORCE_RELOCATE_IMAGES_ALWAYS_ON
    | PROCESS_CREATION_MITIGATION_POLICY_BOTTOM_UP_ASLR_ALWAYS_ON
    | PROCESS_CREATION_MITIGATION_POLICY_HIGH_ENTROPY_ASLR_ALWAYS_ON
    | PROCESS_CREATION_MITIGATION_POLICY_HEAP_TERMINATE_ALWAYS_ON
    | PROCESS_CREATION_MITIGATION_POLICY_EXTENSION_POINT_DISABLE_ALWAYS_ON
    | PROCESS_CREATION_MITIGATION_POLICY_PROHIBIT_DYNAMIC_CODE_ALWAYS_ON
    | PROCESS_CREATION_MITIGATION_POLICY_FONT_DISABLE_ALWAYS_ON
    | PROCESS_CREATION_MITIGATION_POLICY_IMAGE_LOAD_NO_REMOTE_ALWAYS_ON
    | PROCESS_CREATION_MITIGATION_POLICY_IMAGE_LOAD_NO_LOW_LABEL_ALWAYS_ON;

/* All that a birth holds open; what has gone elsewhere is NULL again. */
struct birth {
    HANDLE channel, log;               /* ours */
    HANDLE worker_channel, worker_log; /* the worker's, inherited */
    HANDLE token, job;
    LPPROC_THREAD_ATTRIBUTE_LIST attributes;
    PROCESS_INFORMATION process;
};

static int last_error(void)
{
    return uv_translate_sys_error((int)GetLastError());
}

static void drop(HANDLE *handle)
{
    if (*handle)
        CloseHandle(*handle);
    *handle = NULL;
}

/* ---- pipes ---- */

/* Nobody else may open it, and nobody can have made it before. */
static HANDLE make_pipe(const wchar_t *name, DWORD access)
{
    char own[CONF_SID_TEXT_BYTES], text[CONF_SID_TEXT_BYTES + 32];
    SECURITY_ATTRIBUTES attributes = { sizeof attributes, NULL, FALSE };
    conf_sid_text(account_own(), own);
    snprintf(text, sizeof text, "D:P(A;;GA;;;%s)", own);
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorA(text, SDDL_REVISION_1, &attributes.lpSecurityDescriptor,
                                                              NULL))
        return NULL;
    HANDLE pipe = CreateNamedPipeW(name, access | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                                   PIPE_TYPE_BYTE | PIPE_REJECT_REMOTE_CLIENTS, 1, PIPE_BYTES, PIPE_BYTES, 0, &attributes);
    DWORD error = GetLastError();
    LocalFree(attributes.lpSecurityDescriptor);
    SetLastError(error);
    return pipe == INVALID_HANDLE_VALUE ? NULL : pipe;
}

/* Both ends of one; the other end is inherited by a worker. */
static int make_pair(DWORD access, DWORD other_access, DWORD other_flags, HANDLE *ret_own, HANDLE *ret_other)
{
    SECURITY_ATTRIBUTES inherited = { sizeof inherited, NULL, TRUE };
    uint64_t random[2];
    wchar_t name[100];
    int status = uv_random(NULL, NULL, random, sizeof random, 0, NULL);
    if (status < 0)
        return status;
    _snwprintf(name, sizeof name / sizeof name[0], L"\\\\.\\pipe\\fetchd-worker-%lu-%llx%llx", GetCurrentProcessId(),
               (unsigned long long)random[0], (unsigned long long)random[1]);
    *ret_own = make_pipe(name, access);
    if (!*ret_own)
        return last_error();
    *ret_other = CreateFileW(name, other_access, 0, &inherited, OPEN_EXISTING, other_flags | SECURITY_SQOS_PRESENT
                             | SECURITY_IDENTIFICATION, NULL);
    if (*ret_other != INVALID_HANDLE_VALUE)
        return 0;
    *ret_other = NULL;
    return last_error();
}

static int make_pipes(struct birth *birth)
{
    int status = make_pair(PIPE_ACCESS_DUPLEX, GENERIC_READ | GENERIC_WRITE, FILE_FLAG_OVERLAPPED, &birth->channel,
                           &birth->worker_channel);
    if (status == 0)
        status = make_pair(PIPE_ACCESS_INBOUND, GENERIC_WRITE | FILE_READ_ATTRIBUTES, 0, &birth->log, &birth->worker_log);
    return status;
}

/* ---- what it may ---- */

static int make_job(struct birth *birth, uint64_t memory_bytes)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = { .ProcessMemoryLimit = (SIZE_T)memory_bytes };
    JOBOBJECT_BASIC_UI_RESTRICTIONS windows = { JOB_OBJECT_UILIMIT_HANDLES | JOB_OBJECT_UILIMIT_READCLIPBOARD
        | JOB_OBJECT_UILIMIT_WRITECLIPBOARD | JOB_OBJECT_UILIMIT_SYSTEMPARAMETERS | JOB_OBJECT_UILIMIT_DISPLAYSETTINGS
        | JOB_OBJECT_UILIMIT_GLOBALATOMS | JOB_OBJECT_UILIMIT_DESKTOP | JOB_OBJECT_UILIMIT_EXITWINDOWS };
    limits.BasicLimitInformation.ActiveProcessLimit = 1;
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_ACTIVE_PROCESS
        | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION | (memory_bytes ? JOB_OBJECT_LIMIT_PROCESS_MEMORY : 0);
    birth->job = CreateJobObjectW(NULL, NULL);
    if (!birth->job || !SetInformationJobObject(birth->job, JobObjectExtendedLimitInformation, &limits, sizeof limits)
        || !SetInformationJobObject(birth->job, JobObjectBasicUIRestrictions, &windows, sizeof windows))
        return last_error();
    return 0;
}

static bool lower_integrity(HANDLE token)
{
    uint8_t sid[SECURITY_MAX_SID_SIZE];
    DWORD size = sizeof sid;
    if (!CreateWellKnownSid(WinLowLabelSid, NULL, sid, &size))
        return false;
    TOKEN_MANDATORY_LABEL label = { { sid, SE_GROUP_INTEGRITY } };
    return SetTokenInformation(token, TokenIntegrityLevel, &label, sizeof label + size);
}

static int make_token(struct birth *birth)
{
    uint8_t administrators[SECURITY_MAX_SID_SIZE];
    DWORD size = sizeof administrators, access = TOKEN_DUPLICATE | TOKEN_QUERY | TOKEN_ASSIGN_PRIMARY | TOKEN_ADJUST_DEFAULT;
    SID_AND_ATTRIBUTES disabled = { administrators, 0 };
    HANDLE own;
    if (!CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, administrators, &size)
        || !OpenProcessToken(GetCurrentProcess(), access, &own))
        return last_error();
    BOOL made = CreateRestrictedToken(own, DISABLE_MAX_PRIVILEGE, 1, &disabled, 0, NULL, 0, NULL, &birth->token);
    int status = made && lower_integrity(birth->token) ? 0 : last_error();
    CloseHandle(own);
    return status;
}

/* What they point to must live until the process is made. */
static int make_attributes(struct birth *birth, HANDLE inherited[2], DWORD *no_children, bool unconfined)
{
    SIZE_T size = 0;
    InitializeProcThreadAttributeList(NULL, ATTRIBUTES, 0, &size);
    LPPROC_THREAD_ATTRIBUTE_LIST list = malloc(size);
    if (!list)
        return UV_ENOMEM;
    if (!InitializeProcThreadAttributeList(list, ATTRIBUTES, 0, &size)) {
        free(list);
        return last_error();
    }
    birth->attributes = list;
    inherited[0] = birth->worker_channel;
    inherited[1] = birth->worker_log;
    *no_children = PROCESS_CREATION_CHILD_PROCESS_RESTRICTED;
    bool set = UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, inherited, 2 * sizeof *inherited, NULL, NULL)
        && UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_JOB_LIST, &birth->job, sizeof birth->job, NULL, NULL);
    if (set && !unconfined)
        set = UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_MITIGATION_POLICY, (void *)(uintptr_t)&mitigations,
                                        sizeof mitigations, NULL, NULL)
            && UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_CHILD_PROCESS_POLICY, no_children,
                                         sizeof *no_children, NULL, NULL);
    return set ? 0 : last_error();
}

/* ---- the process ---- */

/* Without SystemRoot neither sockets nor cryptography work there. Ends with an empty name. */
static void make_environment(const wchar_t *windows, wchar_t ret_environment[MAX_PATH + 32])
{
    int length = _snwprintf(ret_environment, MAX_PATH + 30, L"SystemRoot=%ls", windows);
    ret_environment[length + 1] = L'\0';
}

static int create(struct birth *birth, const struct spawn_order *order)
{
    wchar_t program[PATH_CHARACTERS], line[PATH_CHARACTERS + 2], windows[MAX_PATH + 1], environment[MAX_PATH + 32];
    HANDLE inherited[2];
    DWORD no_children, flags = EXTENDED_STARTUPINFO_PRESENT | CREATE_UNICODE_ENVIRONMENT | CREATE_NO_WINDOW
                             | CREATE_NEW_PROCESS_GROUP;
    int status = make_attributes(birth, inherited, &no_children, order->unconfined);
    if (status < 0)
        return status;
    if (!conf_wide(order->program, program, PATH_CHARACTERS) || GetSystemWindowsDirectoryW(windows, MAX_PATH) == 0)
        return UV_ENAMETOOLONG;
    _snwprintf(line, PATH_CHARACTERS + 2, L"\"%ls\"", program);
    make_environment(windows, environment);
    STARTUPINFOEXW start = {
        .StartupInfo = { .cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES, .hStdInput = birth->worker_channel,
                         .hStdError = birth->worker_log },
        .lpAttributeList = birth->attributes,
    };
    BOOL made = birth->token
        ? CreateProcessAsUserW(birth->token, program, line, NULL, NULL, TRUE, flags, environment, windows,
                               &start.StartupInfo, &birth->process)
        : CreateProcessW(program, line, NULL, NULL, TRUE, flags, environment, windows, &start.StartupInfo,
                         &birth->process);
    return made ? 0 : last_error();
}

/* The handle goes with the descriptor. */
static int descriptor_of(HANDLE *handle, int *ret_fd)
{
    *ret_fd = _open_osfhandle((intptr_t)*handle, O_BINARY);
    if (*ret_fd < 0)
        return UV_EMFILE;
    *handle = NULL;
    return 0;
}

static int hand_over(struct birth *birth, uv_loop_t *loop, struct child *child, struct spawned *ret_spawned)
{
    struct spawned spawned = { -1, -1 };
    int status = descriptor_of(&birth->channel, &spawned.channel_fd);
    if (status == 0)
        status = descriptor_of(&birth->log, &spawned.log_fd);
    if (status == 0) {
        status = child_watch(child, loop, birth->process.hProcess, birth->job, birth->process.dwProcessId);
        birth->process.hProcess = birth->job = NULL;
    }
    if (status == 0) {
        *ret_spawned = spawned;
        return 0;
    }
    if (spawned.channel_fd >= 0)
        _close(spawned.channel_fd);
    if (spawned.log_fd >= 0)
        _close(spawned.log_fd);
    return status;
}

static void clean_up(struct birth *birth)
{
    if (birth->attributes) {
        DeleteProcThreadAttributeList(birth->attributes);
        free(birth->attributes);
    }
    drop(&birth->channel);
    drop(&birth->log);
    drop(&birth->worker_channel);
    drop(&birth->worker_log);
    drop(&birth->token);
    drop(&birth->process.hThread);
    drop(&birth->process.hProcess);
    drop(&birth->job);   /* the process's end, if it is still here */
}

int spawn_worker(uv_loop_t *loop, struct child *child, const struct spawn_order *order,
                 struct spawned *ret_spawned)
{
    struct birth birth = { .channel = NULL };
    int status = make_pipes(&birth);
    if (status == 0)
        status = make_job(&birth, order->memory_bytes);
    if (status == 0 && !order->unconfined)
        status = make_token(&birth);
    if (status == 0)
        status = create(&birth, order);
    if (status == 0)
        status = hand_over(&birth, loop, child, ret_spawned);
    clean_up(&birth);
    return status;
}
