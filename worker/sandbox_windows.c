/* A worker under the rights of the daemon's service gives up what it can by itself: privileges, integrity, child
 * processes, code that is made at run time. What a version of Windows does not know it refuses; the rest holds. */
#include "sandbox.h"

#include <stdio.h>
#include <windows.h>

/* ---- the token ---- */

/* Every privilege but that of passing through folders, which all users have. */
static bool drop_privileges(HANDLE token)
{
    union { TOKEN_PRIVILEGES list; BYTE bytes[sizeof(TOKEN_PRIVILEGES) + 64 * sizeof(LUID_AND_ATTRIBUTES)]; } held;
    LUID passing;
    DWORD size;
    if (!GetTokenInformation(token, TokenPrivileges, &held, sizeof held, &size)
        || !LookupPrivilegeValueW(NULL, L"SeChangeNotifyPrivilege", &passing))
        return false;
    for (DWORD i = 0; i < held.list.PrivilegeCount; i++) {
        LUID *privilege = &held.list.Privileges[i].Luid;
        if (privilege->LowPart != passing.LowPart || privilege->HighPart != passing.HighPart)
            held.list.Privileges[i].Attributes = SE_PRIVILEGE_REMOVED;
    }
    return AdjustTokenPrivileges(token, FALSE, &held.list, 0, NULL, NULL) && GetLastError() == ERROR_SUCCESS;
}

/* Then it may write to nothing that belongs to anyone: files, registry, other processes. */
static bool lower_integrity(HANDLE token)
{
    BYTE low[SECURITY_MAX_SID_SIZE];
    DWORD size = sizeof low;
    if (!CreateWellKnownSid(WinLowLabelSid, NULL, low, &size))
        return false;
    TOKEN_MANDATORY_LABEL label = { .Label = { .Sid = low, .Attributes = SE_GROUP_INTEGRITY } };
    return SetTokenInformation(token, TokenIntegrityLevel, &label, (DWORD)sizeof label + size);
}

static bool with_token(bool (*change)(HANDLE token))
{
    HANDLE token;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY | TOKEN_ADJUST_PRIVILEGES | TOKEN_ADJUST_DEFAULT, &token))
        return false;
    bool done = change(token);
    DWORD error = GetLastError();
    CloseHandle(token);
    SetLastError(error);
    return done;
}

static bool give_up_privileges(const struct sandbox_order *order)
{
    (void)order;
    return with_token(drop_privileges);
}

static bool give_up_integrity(const struct sandbox_order *order)
{
    (void)order;
    return with_token(lower_integrity);
}

/* ---- the job ---- */

/* One within that of the daemon. Without a dump to write, a crash ends the process at once. Its handle stays open:
 * nobody needs it, and it ends with the process. */
static bool be_the_only_one(const struct sandbox_order *order)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = { .BasicLimitInformation = {
        .LimitFlags = JOB_OBJECT_LIMIT_ACTIVE_PROCESS
            | (order->core ? 0 : JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION),
        .ActiveProcessLimit = 1,
    } };
    HANDLE job = CreateJobObjectW(NULL, NULL);
    return job && SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits)
        && AssignProcessToJobObject(job, GetCurrentProcess());
}

/* ---- the process ---- */

static bool stop_at_broken_heap(const struct sandbox_order *order)
{
    (void)order;
    return HeapSetInformation(NULL, HeapEnableTerminationOnCorruption, NULL, 0);
}

/* What JIT compilers need, and whoever brings code along. */
static bool forbid_new_code(const struct sandbox_order *order)
{
    PROCESS_MITIGATION_DYNAMIC_CODE_POLICY policy = { .ProhibitDynamicCode = 1 };
    (void)order;
    return SetProcessMitigationPolicy(ProcessDynamicCodePolicy, &policy, sizeof policy);
}

static bool check_handles(const struct sandbox_order *order)
{
    PROCESS_MITIGATION_STRICT_HANDLE_CHECK_POLICY policy = { .RaiseExceptionOnInvalidHandleReference = 1,
                                                             .HandleExceptionsPermanentlyEnabled = 1 };
    (void)order;
    return SetProcessMitigationPolicy(ProcessStrictHandleCheckPolicy, &policy, sizeof policy);
}

static bool close_extension_points(const struct sandbox_order *order)
{
    PROCESS_MITIGATION_EXTENSION_POINT_DISABLE_POLICY policy = { .DisableExtensionPoints = 1 };
    (void)order;
    return SetProcessMitigationPolicy(ProcessExtensionPointDisablePolicy, &policy, sizeof policy);
}

/* Libraries that name look-ups load later come from System32. */
static bool load_from_system(const struct sandbox_order *order)
{
    PROCESS_MITIGATION_IMAGE_LOAD_POLICY policy = { .NoRemoteImages = 1, .NoLowMandatoryLabelImages = 1,
                                                    .PreferSystem32Images = 1 };
    (void)order;
    return SetProcessMitigationPolicy(ProcessImageLoadPolicy, &policy, sizeof policy);
}

static bool load_no_fonts(const struct sandbox_order *order)
{
    PROCESS_MITIGATION_FONT_DISABLE_POLICY policy = { .DisableNonSystemFonts = 1 };
    (void)order;
    return SetProcessMitigationPolicy(ProcessFontDisablePolicy, &policy, sizeof policy);
}

/* ---- all of it ---- */

/* The token last: lowered it could not be put into a job. */
static const struct step {
    const char *name;
    bool (*take)(const struct sandbox_order *order);
} steps[] = {
    { "one process", be_the_only_one },
    { "heap checks", stop_at_broken_heap },
    { "no new code", forbid_new_code },
    { "strict handles", check_handles },
    { "no extension points", close_extension_points },
    { "system libraries", load_from_system },
    { "system fonts", load_no_fonts },
    { "no privileges", give_up_privileges },
    { "low integrity", give_up_integrity },
};

#define STEPS (sizeof steps / sizeof steps[0])

/* "a, b; not c (5)" with Windows' error numbers. */
static size_t add(char *text, size_t size, size_t length, const char *between, const char *name, DWORD error)
{
    int added = length >= size ? 0
        : error ? snprintf(text + length, size - length, "%s%s (%lu)", between, name, (unsigned long)error)
                : snprintf(text + length, size - length, "%s%s", between, name);
    return length + (size_t)added;
}

static void describe(const DWORD *errors, char *ret_text, size_t size)
{
    size_t length = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < STEPS; i++)
        if (errors[i] == ERROR_SUCCESS)
            length = add(ret_text, size, length, length ? ", " : "", steps[i].name, 0);
    const char *between = length ? "; not: " : "not: ";
    for (size_t i = 0; i < STEPS; i++) {
        if (errors[i] == ERROR_SUCCESS)
            continue;
        length = add(ret_text, size, length, between, steps[i].name, errors[i]);
        between = ", ";
    }
}

static DWORD take(const struct step *step, const struct sandbox_order *order)
{
    SetLastError(ERROR_SUCCESS);
    if (step->take(order))
        return ERROR_SUCCESS;
    DWORD error = GetLastError();
    return error == ERROR_SUCCESS ? ERROR_NOT_SUPPORTED : error;
}

int sandbox_enter(const struct sandbox_order *order, char *ret_text, size_t size)
{
    DWORD errors[STEPS];
    for (size_t i = 0; i < STEPS; i++)
        errors[i] = take(&steps[i], order);
    describe(errors, ret_text, size);
    return 0;
}
