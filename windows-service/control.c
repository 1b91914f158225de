/* start, stop, reload, status. */
#include "command.h"

#include "manager.h"
#include "place.h"
#include "say.h"
#include "wide.h"

#include <stdlib.h>

enum { EXIT_NOT_RUNNING = 3, EXIT_NOT_INSTALLED = 4, CONFIG_BYTES = 8192, TEXT_BYTES = 4096 };

static const char *state_name(DWORD state)
{
    static const char *const names[] = {
        [SERVICE_STOPPED] = "stopped",
        [SERVICE_START_PENDING] = "starting",
        [SERVICE_STOP_PENDING] = "stopping",
        [SERVICE_RUNNING] = "running",
        [SERVICE_CONTINUE_PENDING] = "continuing",
        [SERVICE_PAUSE_PENDING] = "pausing",
        [SERVICE_PAUSED] = "paused",
    };
    return state < sizeof names / sizeof *names && names[state] ? names[state] : "in a state of its own";
}

/* How it ended, in the words of whom to ask next. */
static int say_it_ended(const SERVICE_STATUS_PROCESS *status)
{
    char log[PLACE_CHARS * 3] = "its log";
    struct place place;
    if (place_find(&place) == ERROR_SUCCESS)
        wide_to(place.log_file, log, sizeof log);
    if (status->dwWin32ExitCode == ERROR_SERVICE_SPECIFIC_ERROR)
        say("fetchd: ended with exit code %lu", status->dwServiceSpecificExitCode);
    else if (status->dwWin32ExitCode != NO_ERROR)
        say_failure(status->dwWin32ExitCode, "ended");
    say("fetchd: why stands in the Application log (source fetchd) and in %s", log);
    return EXIT_FAILURE;
}

static int wait_until(const struct manager *manager, DWORD pending, DWORD wanted)
{
    SERVICE_STATUS_PROCESS status;
    DWORD error = manager_wait(manager, pending, &status);
    if (error != ERROR_SUCCESS)
        return say_failure(error, "it does not say that it is %s", state_name(wanted));
    if (status.dwCurrentState != wanted)
        return say_it_ended(&status);
    say("fetchd: %s", state_name(status.dwCurrentState));
    return EXIT_SUCCESS;
}

static int start(const struct manager *manager)
{
    if (!StartServiceW(manager->service, 0, NULL)) {
        DWORD error = GetLastError();
        if (error != ERROR_SERVICE_ALREADY_RUNNING)
            return say_failure(error, "can't be started");
    }
    return wait_until(manager, SERVICE_START_PENDING, SERVICE_RUNNING);
}

static int stop(const struct manager *manager)
{
    SERVICE_STATUS status;
    if (!ControlService(manager->service, SERVICE_CONTROL_STOP, &status)) {
        DWORD error = GetLastError();
        if (error == ERROR_SERVICE_CANNOT_ACCEPT_CTRL && status.dwCurrentState == SERVICE_STOP_PENDING)
            error = ERROR_SERVICE_NOT_ACTIVE; /* is stopping already: that is waited for */
        if (error != ERROR_SERVICE_NOT_ACTIVE)
            return say_failure(error, "can't be stopped");
    }
    return wait_until(manager, SERVICE_STOP_PENDING, SERVICE_STOPPED);
}

static int reload(const struct manager *manager)
{
    SERVICE_STATUS status;
    if (!ControlService(manager->service, SERVICE_CONTROL_PARAMCHANGE, &status))
        return say_failure(GetLastError(), "can't be told to reload");
    say("fetchd: told to reload; if a setting is wrong all stay as they were, and the log says which "
        "(\"fetchctl reload\" waits for the answer)");
    return EXIT_SUCCESS;
}

static int with_service(DWORD rights, int (*run)(const struct manager *manager))
{
    struct manager manager;
    DWORD error = manager_open(&manager, SC_MANAGER_CONNECT, rights | SERVICE_QUERY_STATUS);
    int code = error == ERROR_SUCCESS ? run(&manager) : say_failure(error, "the service");
    manager_close(&manager);
    return code;
}

int command_start(const struct command *command)
{
    (void)command;
    return with_service(SERVICE_START, start);
}

int command_stop(const struct command *command)
{
    (void)command;
    return with_service(SERVICE_STOP, stop);
}

int command_reload(const struct command *command)
{
    (void)command;
    return with_service(SERVICE_PAUSE_CONTINUE, reload);
}

/* ---- status ---- */

static const char *start_name(const struct manager *manager, DWORD type)
{
    SERVICE_DELAYED_AUTO_START_INFO delayed = { FALSE };
    DWORD size;
    if (type != SERVICE_AUTO_START)
        return type == SERVICE_DISABLED ? "disabled" : "by hand";
    QueryServiceConfig2W(manager->service, SERVICE_CONFIG_DELAYED_AUTO_START_INFO, (BYTE *)&delayed,
                         sizeof delayed, &size);
    return delayed.fDelayedAutostart ? "with the system, a little later" : "with the system";
}

static void say_config(const struct manager *manager)
{
    union {
        QUERY_SERVICE_CONFIGW config;
        BYTE bytes[CONFIG_BYTES];
    } buffer;
    char program[TEXT_BYTES], account[TEXT_BYTES];
    DWORD size;
    if (!QueryServiceConfigW(manager->service, &buffer.config, sizeof buffer, &size))
        return;
    wide_to(buffer.config.lpBinaryPathName, program, sizeof program);
    wide_to(buffer.config.lpServiceStartName, account, sizeof account);
    say("  runs     %s", program);
    say("  as       %s", account);
    say("  starts   %s", start_name(manager, buffer.config.dwStartType));
}

static int status(const struct manager *manager)
{
    SERVICE_STATUS_PROCESS now;
    DWORD error = manager_query(manager, &now);
    if (error != ERROR_SUCCESS)
        return say_failure(error, "can't be asked");
    if (now.dwProcessId)
        say("fetchd: %s, process %lu", state_name(now.dwCurrentState), now.dwProcessId);
    else
        say("fetchd: %s", state_name(now.dwCurrentState));
    say_config(manager);
    if (now.dwCurrentState != SERVICE_STOPPED)
        return EXIT_SUCCESS;
    if (now.dwWin32ExitCode != NO_ERROR && now.dwWin32ExitCode != ERROR_SERVICE_NEVER_STARTED)
        say_it_ended(&now);
    return EXIT_NOT_RUNNING;
}

int command_status(const struct command *command)
{
    (void)command;
    struct manager manager;
    DWORD error = manager_open(&manager, SC_MANAGER_CONNECT, SERVICE_QUERY_STATUS | SERVICE_QUERY_CONFIG);
    int code = EXIT_NOT_INSTALLED;
    if (error == ERROR_SUCCESS)
        code = status(&manager);
    else if (error == ERROR_SERVICE_DOES_NOT_EXIST)
        say("fetchd: is not installed as a service");
    else
        code = say_failure(error, "the service");
    manager_close(&manager);
    return code;
}
