#include "manager.h"

#include "command.h"

enum { POLL_MS = 50, LEAST_WAIT_MS = 10000 };

DWORD manager_open(struct manager *manager, DWORD manager_rights, DWORD service_rights)
{
    manager->service = NULL;
    manager->manager = OpenSCManagerW(NULL, NULL, manager_rights);
    if (manager->manager)
        manager->service = OpenServiceW(manager->manager, SERVICE_NAME, service_rights);
    return manager->service ? ERROR_SUCCESS : GetLastError();
}

void manager_close(struct manager *manager)
{
    if (manager->service)
        CloseServiceHandle(manager->service);
    if (manager->manager)
        CloseServiceHandle(manager->manager);
}

DWORD manager_query(const struct manager *manager, SERVICE_STATUS_PROCESS *ret_status)
{
    DWORD size;
    return QueryServiceStatusEx(manager->service, SC_STATUS_PROCESS_INFO, (BYTE *)ret_status,
                                sizeof *ret_status, &size)
               ? ERROR_SUCCESS
               : GetLastError();
}

DWORD manager_wait(const struct manager *manager, DWORD pending, SERVICE_STATUS_PROCESS *ret_status)
{
    ULONGLONG moved_ms = GetTickCount64();
    DWORD checkpoint = 0, error;
    while ((error = manager_query(manager, ret_status)) == ERROR_SUCCESS
           && ret_status->dwCurrentState == pending) {
        DWORD patience_ms = ret_status->dwWaitHint > LEAST_WAIT_MS ? ret_status->dwWaitHint : LEAST_WAIT_MS;
        if (ret_status->dwCheckPoint != checkpoint)
            moved_ms = GetTickCount64();
        else if (GetTickCount64() - moved_ms > patience_ms)
            return ERROR_SERVICE_REQUEST_TIMEOUT;
        checkpoint = ret_status->dwCheckPoint;
        Sleep(POLL_MS);
    }
    return error;
}
