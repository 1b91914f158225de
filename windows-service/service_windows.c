/* The service manager of Windows (SCM). It starts us as "fetchd.exe service run ...": the daemon then runs in
 * the thread that the manager makes for the service, and what the manager asks for comes in another one,
 * which hands it over by uv_async. Everywhere else this is a console program, and all below does nothing. */
#include "daemon/service.h"

#include "command.h"
#include "event.h"
#include "logfile.h"
#include "place.h"
#include "say.h"
#include "wide.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

enum {
    EXIT_SETTINGS = 2,     /* of fetchd: wrong now and the next time */
    START_MS = 30000,      /* most time between two signs of life while it starts */
    STOP_MS = 10000,       /* ... while it stops: service_alive comes each second */
    LOG_LEVEL_WARNING = 4, /* as in syslog */
};

#define SYSTEM_ADDRESS "pipe:\\\\.\\pipe\\fetchd"   /* as in ipc/endpoint.h */

#define ACCEPTED                                                                                             \
    (SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN | SERVICE_ACCEPT_PRESHUTDOWN | SERVICE_ACCEPT_PARAMCHANGE)

/* What the manager's thread and the loop's share stands under the lock. */
static struct {
    SRWLOCK lock;
    SERVICE_STATUS_HANDLE handle; /* 0: a console program */
    SERVICE_STATUS status;
    bool is_open, drain, reload; /* what is asked for and not yet done */
    uv_async_t asked;

    const struct service_calls *calls;
    void *owner;
    int argc;
    char **argv;
    int (*run)(int argc, char **argv);
    int exit_code;
    wchar_t log_file[PLACE_CHARS]; /* unless the settings name another */
    uint64_t log_bytes;            /* it begins anew above so many */
} service = { .lock = SRWLOCK_INIT, .log_bytes = UINT64_MAX };

/* ---- what we tell the manager ---- */

/* With the lock. Each report while something is pending is a further checkpoint. */
static void report(DWORD state, DWORD wait_ms)
{
    bool pending = state == SERVICE_START_PENDING || state == SERVICE_STOP_PENDING;
    service.status.dwCheckPoint = pending ? service.status.dwCheckPoint + 1 : 0;
    service.status.dwCurrentState = state;
    service.status.dwWaitHint = pending ? wait_ms : 0;
    service.status.dwControlsAccepted = state == SERVICE_RUNNING ? ACCEPTED : 0;
    SetServiceStatus(service.handle, &service.status);
}

static void report_stopping(void)
{
    report(SERVICE_STOP_PENDING, STOP_MS);
}

void service_ready(const char *status)
{
    (void)status;
    if (!service.handle)
        return;
    AcquireSRWLockExclusive(&service.lock);
    if (service.status.dwCurrentState == SERVICE_START_PENDING)
        report(SERVICE_RUNNING, 0);
    ReleaseSRWLockExclusive(&service.lock);
}

/* The manager keeps no such text; "fetchctl status" has more. */
void service_status(const char *status)
{
    (void)status;
}

void service_reloading(void)
{
}

void service_stopping(void)
{
    if (!service.handle)
        return;
    AcquireSRWLockExclusive(&service.lock);
    report_stopping();
    ReleaseSRWLockExclusive(&service.lock);
}

/* While it drains, a sign of life. */
void service_alive(void)
{
    if (!service.handle)
        return;
    AcquireSRWLockExclusive(&service.lock);
    if (service.status.dwCurrentState == SERVICE_STOP_PENDING)
        report_stopping();
    ReleaseSRWLockExclusive(&service.lock);
    logfile_check(service.log_bytes);
}

int service_inherited_socket(void)
{
    return -1;
}

/* ---- the log ---- */

void service_log(int level, const char *text)
{
    if (service.handle && level <= LOG_LEVEL_WARNING)
        event_report(level, text);
}

void service_keep_log(const char *file, uint64_t limit_bytes)
{
    wchar_t path[PLACE_CHARS];
    char words[256], sentence[PLACE_CHARS * 3 + 512];
    service.log_bytes = limit_bytes;
    if (!service.handle)
        return;
    DWORD error = !*file                               ? logfile_open(service.log_file)
                  : wide_from(file, path, PLACE_CHARS) ? logfile_open(path)
                                                       : ERROR_INVALID_NAME;
    if (error == ERROR_SUCCESS)
        return;
    say_error_text(error, words, sizeof words);
    snprintf(sentence, sizeof sentence, "[log] file = %s: %s; keeping the one before", file, words);
    event_report(LOG_LEVEL_WARNING, sentence);
}

/* ---- what the manager asks for ---- */

static void on_uv_asked(uv_async_t *async)
{
    (void)async;
    AcquireSRWLockExclusive(&service.lock);
    bool drain = service.drain, reload = service.reload;
    service.drain = service.reload = false;
    ReleaseSRWLockExclusive(&service.lock);
    if (drain)
        service.calls->drain(service.owner);
    else if (reload)
        service.calls->reload(service.owner);
}

int service_open(uv_loop_t *loop, const struct service_calls *calls, void *owner)
{
    if (!service.handle)
        return 0;
    int status = uv_async_init(loop, &service.asked, on_uv_asked);
    if (status < 0)
        return status;
    AcquireSRWLockExclusive(&service.lock);
    service.calls = calls;
    service.owner = owner;
    service.is_open = true;
    ReleaseSRWLockExclusive(&service.lock);
    return 0;
}

void service_close(void)
{
    AcquireSRWLockExclusive(&service.lock);
    bool was_open = service.is_open;
    service.is_open = false;
    ReleaseSRWLockExclusive(&service.lock);
    if (was_open)
        uv_close((uv_handle_t *)&service.asked, NULL);
}

static void ask(bool drain)
{
    AcquireSRWLockExclusive(&service.lock);
    if (drain)
        report_stopping();
    service.drain |= drain;
    service.reload |= !drain;
    if (service.is_open)
        uv_async_send(&service.asked);
    ReleaseSRWLockExclusive(&service.lock);
}

/* In the manager's thread. */
static DWORD WINAPI on_control(DWORD control, DWORD type, void *data, void *context)
{
    (void)type;
    (void)data;
    (void)context;
    switch (control) {
    case SERVICE_CONTROL_INTERROGATE: return NO_ERROR;
    case SERVICE_CONTROL_STOP:
    case SERVICE_CONTROL_SHUTDOWN:
    case SERVICE_CONTROL_PRESHUTDOWN: ask(true); return NO_ERROR;
    case SERVICE_CONTROL_PARAMCHANGE: ask(false); return NO_ERROR;
    default: return ERROR_CALL_NOT_IMPLEMENTED;
    }
}

/* ---- the service's thread ---- */

static void open_log(void)
{
    struct place place;
    char words[256], sentence[PLACE_CHARS * 3 + 512], name[PLACE_CHARS * 3] = "the log file";
    event_open();
    DWORD error = place_find(&place);
    if (error == ERROR_SUCCESS) {
        wide_to(place.log_file, name, sizeof name);
        memcpy(service.log_file, place.log_file, sizeof service.log_file);
        error = logfile_open(place.log_file);
    }
    if (error == ERROR_SUCCESS)
        return;
    say_error_text(error, words, sizeof words);
    snprintf(sentence, sizeof sentence, "%s: %s; only warnings and errors are kept, here", name, words);
    event_report(LOG_LEVEL_WARNING, sentence);
}

/* An end that no restart would mend is reported as one. Of any other the manager hears nothing, so that it
 * counts as a crash, which it restarts us after. */
static void end(int code)
{
    if (code != EXIT_SUCCESS && code != EXIT_SETTINGS)
        ExitProcess((UINT)code);
    AcquireSRWLockExclusive(&service.lock);
    service.status.dwWin32ExitCode = code == EXIT_SUCCESS ? NO_ERROR : ERROR_SERVICE_SPECIFIC_ERROR;
    service.status.dwServiceSpecificExitCode = (DWORD)code;
    report(SERVICE_STOPPED, 0);
    ReleaseSRWLockExclusive(&service.lock);
}

/* Arguments that come with a start are not ours: who may start the service may not tell it what to do. */
static void WINAPI on_service(DWORD argc, wchar_t **argv)
{
    (void)argc;
    (void)argv;
    service.handle = RegisterServiceCtrlHandlerExW(SERVICE_NAME, on_control, NULL);
    if (!service.handle)
        return;
    service.status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
    AcquireSRWLockExclusive(&service.lock);
    report(SERVICE_START_PENDING, START_MS);
    ReleaseSRWLockExclusive(&service.lock);
    open_log();
    service.exit_code = service.run(service.argc, service.argv);
    end(service.exit_code);
}

/* A service serves everybody: the system's address, where any other program of its account has one of its own. */
static void set_address(void)
{
    const char *given = getenv("FETCHD_ADDRESS");
    if (!given || !*given)
        _putenv_s("FETCHD_ADDRESS", SYSTEM_ADDRESS);
}

static int run_as_service(int argc, char **argv, int (*run)(int argc, char **argv))
{
    SERVICE_TABLE_ENTRYW table[] = { { (wchar_t[]){ SERVICE_NAME }, on_service }, { NULL, NULL } };
    service.argc = argc;
    service.argv = argv;
    service.run = run;
    set_address();
    if (!StartServiceCtrlDispatcherW(table))
        return say_failure(GetLastError(), "the service manager");
    return service.exit_code;
}

/* What we print is UTF-8; the console gets its own back. */
static int run_in_console(int argc, char **argv, int (*run)(int argc, char **argv))
{
    UINT before = GetConsoleOutputCP();
    SetConsoleOutputCP(CP_UTF8);
    int code =
        argc > 1 && strcmp(argv[1], "service") == 0 ? command_run(argc - 2, argv + 2) : run(argc, argv);
    if (before)
        SetConsoleOutputCP(before);
    return code;
}

const char service_usage[] = "Ctrl+C and Ctrl+Break drain. As a service of Windows: fetchd service --help\n";

int service_run(int argc, char **argv, int (*run)(int argc, char **argv))
{
    if (argc > 2 && strcmp(argv[1], "service") == 0 && strcmp(argv[2], "run") == 0)
        return run_as_service(argc - 2, argv + 2, run);
    return run_in_console(argc, argv, run);
}
