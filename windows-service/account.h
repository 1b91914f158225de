/* Who the service is: its SID, which follows from its name, and the accounts it may run as. */
#ifndef WINDOWS_SERVICE_ACCOUNT_H
#define WINDOWS_SERVICE_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

#define ACCOUNT_SID_CHARS 96

/* "S-1-5-80-..." of a service by its name: SHA-1 of the name in capitals, as Windows makes it. It is in the
 * token of the service whatever its account, since install asks for that. False without a provider of SHA-1.
 */
bool account_service_sid(const wchar_t *service, wchar_t ret_sid[ACCOUNT_SID_CHARS]);

/* The full name of an account that needs no password, from what a person may write ("LocalService"); others
 * are taken as written. */
const wchar_t *account_full_name(const wchar_t *name);

#endif
