/* install, uninstall. */
#include "command.h"

#include "account.h"
#include "event.h"
#include "manager.h"
#include "place.h"
#include "say.h"
#include "wide.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define VIRTUAL_ACCOUNT L"NT SERVICE\\" SERVICE_NAME

enum { COMMAND_CHARS = PLACE_CHARS * 2 + 64, TEXT_BYTES = COMMAND_CHARS * 3 };

/* ---- what it is told to the manager besides name, program and account ---- */

/* After a crash: soon, later, then each minute; after a quiet hour as if it was the first. An end with exit
 * code 2 (wrong settings) is reported as an end, and not repeated. */
static SC_ACTION restarts[] = {
    { SC_ACTION_RESTART, 1000 },
    { SC_ACTION_RESTART, 10000 },
    { SC_ACTION_RESTART, 60000 },
};
static SERVICE_FAILURE_ACTIONSW failure_actions = { 3600, NULL, NULL, sizeof restarts / sizeof *restarts,
                                                    restarts };
static SERVICE_FAILURE_ACTIONS_FLAG only_crashes = { FALSE };

static SERVICE_DESCRIPTIONW description = { (wchar_t[]){
    L"Fetches URLs for the programs of this machine, in processes of its own. fetchctl asks it." } };
static SERVICE_DELAYED_AUTO_START_INFO delayed = { TRUE };

/* Its SID in its token, whatever the account: the folder's permissions name it. */
static SERVICE_SID_INFO sid = { SERVICE_SID_TYPE_UNRESTRICTED };

/* All others are taken out of its token. This one, to pass through folders, Windows leaves to everyone. */
static SERVICE_REQUIRED_PRIVILEGES_INFOW privileges = { (wchar_t[]){ L"SeChangeNotifyPrivilege\0" } };

/* [daemon] drain_timeout, and the workers' grace after it. */
static SERVICE_PRESHUTDOWN_INFO preshutdown = { 45000 };

static const struct extra {
    DWORD level;
    void *value;
    const char *name;
} extras[] = {
    { SERVICE_CONFIG_DESCRIPTION, &description, "description" },
    { SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &delayed, "delayed start" },
    { SERVICE_CONFIG_FAILURE_ACTIONS, &failure_actions, "restart after a crash" },
    { SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &only_crashes, "no restart for wrong settings" },
    { SERVICE_CONFIG_PRESHUTDOWN_INFO, &preshutdown, "time to drain at shutdown" },
    { SERVICE_CONFIG_SERVICE_SID_INFO, &sid, "SID of its own" },
    { SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, &privileges, "fewer privileges" },
};

/* It runs without any of them, less well: each that fails is named. */
static void set_extras(SC_HANDLE service)
{
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++)
        if (!ChangeServiceConfig2W(service, extras[i].level, extras[i].value))
            say_failure(GetLastError(), "%s: not set", extras[i].name);
}

/* ---- the service itself ---- */

struct plan {
    struct place place;
    wchar_t program[PLACE_CHARS], conf_file[PLACE_CHARS];
    wchar_t command[COMMAND_CHARS];
    wchar_t account[PLACE_CHARS];
    bool account_chosen;
    wchar_t sid[ACCOUNT_SID_CHARS];
};

/* Both paths quoted: unquoted, C:\Program.exe would be tried first. A Windows path has no quotes inside. */
static int plan_command(struct plan *plan, const struct command *command)
{
    wchar_t given[PLACE_CHARS];
    DWORD length = GetModuleFileNameW(NULL, plan->program, PLACE_CHARS);
    if (length == 0 || length == PLACE_CHARS)
        return say_failure(ERROR_FILENAME_EXCED_RANGE, "the path of this program");
    swprintf(plan->conf_file, PLACE_CHARS, L"%ls", plan->place.conf_file);
    if (command->config) {
        length = wide_from(command->config, given, PLACE_CHARS)
                     ? GetFullPathNameW(given, PLACE_CHARS, plan->conf_file, NULL)
                     : 0;
        if (length == 0 || length >= PLACE_CHARS)
            return say_failure(ERROR_FILENAME_EXCED_RANGE, "%s", command->config);
        if (GetFileAttributesW(plan->conf_file) == INVALID_FILE_ATTRIBUTES)
            return say_failure(GetLastError(), "%s", command->config);
    }
    swprintf(plan->command, COMMAND_CHARS, L"\"%ls\" service run --config \"%ls\"", plan->program,
             plan->conf_file);
    return EXIT_SUCCESS;
}

static int plan_install(struct plan *plan, const struct command *command)
{
    wchar_t account[PLACE_CHARS];
    DWORD error = place_find(&plan->place);
    if (error != ERROR_SUCCESS)
        return say_failure(error, "the folder for data of all users");
    if (!account_service_sid(SERVICE_NAME, plan->sid))
        return say_failure(ERROR_NOT_SUPPORTED, "the SID of the service");
    plan->account_chosen = command->account != NULL;
    if (command->account && !wide_from(command->account, account, PLACE_CHARS))
        return say_failure(ERROR_INVALID_SERVICE_ACCOUNT, "--account");
    swprintf(plan->account, PLACE_CHARS, L"%ls",
             command->account ? account_full_name(account) : VIRTUAL_ACCOUNT);
    return plan_command(plan, command);
}

static DWORD create(struct manager *manager, const struct plan *plan, const wchar_t *account)
{
    manager->service = CreateServiceW(manager->manager, SERVICE_NAME, L"fetchd", SERVICE_ALL_ACCESS,
                                      SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START, SERVICE_ERROR_NORMAL,
                                      plan->command, NULL, NULL, NULL, account, L"");
    return manager->service ? ERROR_SUCCESS : GetLastError();
}

static DWORD change(const struct manager *manager, const struct plan *plan, const wchar_t *account)
{
    return ChangeServiceConfigW(manager->service, SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START,
                                SERVICE_ERROR_NORMAL, plan->command, NULL, NULL, NULL, account, L"",
                                L"fetchd")
               ? ERROR_SUCCESS
               : GetLastError();
}

static DWORD make(struct manager *manager, const struct plan *plan, const wchar_t *account)
{
    return manager->service ? change(manager, plan, account) : create(manager, plan, account);
}

/* The virtual account where there is one; else LocalService, which other services share. */
static DWORD make_service(struct manager *manager, struct plan *plan)
{
    DWORD error = make(manager, plan, plan->account);
    if ((error != ERROR_INVALID_SERVICE_ACCOUNT && error != ERROR_INVALID_NAME) || plan->account_chosen)
        return error;
    say("fetchd: this Windows knows no account NT SERVICE\\fetchd; it runs as LocalService, which other services share");
    swprintf(plan->account, PLACE_CHARS, L"%ls", account_full_name(L"LocalService"));
    return make(manager, plan, plan->account);
}

static void say_installed(const struct manager *manager, const struct plan *plan, bool existed)
{
    SERVICE_STATUS_PROCESS status;
    char command[TEXT_BYTES], account[TEXT_BYTES];
    wide_to(plan->command, command, sizeof command);
    wide_to(plan->account, account, sizeof account);
    say("fetchd: service %s: %s, as %s", existed ? "renewed" : "installed", command, account);
    if (wcscmp(plan->account, VIRTUAL_ACCOUNT) != 0 && wcscmp(plan->account, L"LocalSystem") != 0)
        say("fetchd: clients believe it where FETCHD_USER=%s is set in their environment", account);
    if (manager_query(manager, &status) == ERROR_SUCCESS && status.dwCurrentState != SERVICE_STOPPED)
        say("fetchd: it runs as it was; \"fetchd service stop\" and \"start\" take the new way");
    else
        say("fetchd: \"fetchd service start\" starts it");
}

static int install(struct manager *manager, struct plan *plan)
{
    bool existed = manager->service != NULL;
    DWORD error = make_service(manager, plan);
    if (error != ERROR_SUCCESS)
        return say_failure(error, "can't be installed as a service");
    set_extras(manager->service);
    error = event_register(plan->program);
    if (error != ERROR_SUCCESS)
        return say_failure(error, "the event source");
    int code = place_make(&plan->place, plan->sid);
    if (code == EXIT_SUCCESS)
        say_installed(manager, plan, existed);
    return code;
}

int command_install(const struct command *command)
{
    struct manager manager = { NULL, NULL };
    struct plan *plan = calloc(1, sizeof *plan);
    int code = plan ? plan_install(plan, command) : say_failure(ERROR_OUTOFMEMORY, "install");
    if (code == EXIT_SUCCESS) {
        DWORD error =
            manager_open(&manager, SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE, SERVICE_ALL_ACCESS);
        code = error == ERROR_SUCCESS || error == ERROR_SERVICE_DOES_NOT_EXIST
                   ? install(&manager, plan)
                   : say_failure(error, "the service manager");
    }
    manager_close(&manager);
    free(plan);
    return code;
}

/* ---- uninstall ---- */

static int remove_service(const struct manager *manager)
{
    SERVICE_STATUS asked;
    SERVICE_STATUS_PROCESS status;
    if (ControlService(manager->service, SERVICE_CONTROL_STOP, &asked))
        say("fetchd: stopping");
    if (manager_wait(manager, SERVICE_STOP_PENDING, &status) != ERROR_SUCCESS)
        say("fetchd: it does not stop; it is gone when it has");
    if (!DeleteService(manager->service))
        return say_failure(GetLastError(), "can't be removed");
    return EXIT_SUCCESS;
}

static int remove_rest(void)
{
    struct place place;
    char folder[PLACE_CHARS * 3];
    DWORD error = event_unregister();
    if (error != ERROR_SUCCESS)
        return say_failure(error, "the event source");
    if (place_find(&place) != ERROR_SUCCESS)
        return EXIT_SUCCESS;
    place_remove_empty(&place);
    wide_to(place.folder, folder, sizeof folder);
    if (GetFileAttributesW(place.folder) != INVALID_FILE_ATTRIBUTES)
        say("fetchd: uninstalled; settings, log and state stay in %s", folder);
    else
        say("fetchd: uninstalled");
    return EXIT_SUCCESS;
}

int command_uninstall(const struct command *command)
{
    struct manager manager;
    DWORD error = manager_open(&manager, SC_MANAGER_CONNECT, SERVICE_STOP | SERVICE_QUERY_STATUS | DELETE);
    int code = EXIT_SUCCESS;
    (void)command;
    if (error == ERROR_SUCCESS)
        code = remove_service(&manager);
    else if (error != ERROR_SERVICE_DOES_NOT_EXIST)
        code = say_failure(error, "the service");
    manager_close(&manager);
    return code == EXIT_SUCCESS ? remove_rest() : code;
}
