/* Handles of the service manager and of our service there. */
#ifndef WINDOWS_SERVICE_MANAGER_H
#define WINDOWS_SERVICE_MANAGER_H

#include <windows.h>

struct manager {
    SC_HANDLE manager, service; /* NULL for none */
};

/* Both, with these rights of SERVICE_... The service may be missing: 0 or Windows' error. */
DWORD manager_open(struct manager *manager, DWORD manager_rights, DWORD service_rights);
void manager_close(struct manager *manager);

/* The service as it is now. 0 or Windows' error. */
DWORD manager_query(const struct manager *manager, SERVICE_STATUS_PROCESS *ret_status);

/* Waits until the service leaves `pending`, or says nothing new for as long as it asked to be waited for. */
DWORD manager_wait(const struct manager *manager, DWORD pending, SERVICE_STATUS_PROCESS *ret_status);

#endif
