/* The service's folder, %ProgramData%\fetchd: settings, log and state. Users have no access: the settings may
 * hold credentials. The service reads it all and writes its log and its state; SYSTEM and Administrators do
 * as they please. */
#ifndef WINDOWS_SERVICE_PLACE_H
#define WINDOWS_SERVICE_PLACE_H

#include <windows.h>

#define PLACE_CHARS 1024

struct place {
    wchar_t folder[PLACE_CHARS];
    wchar_t log_folder[PLACE_CHARS], state_folder[PLACE_CHARS];
    wchar_t conf_file[PLACE_CHARS], log_file[PLACE_CHARS];
};

/* Finds the names; makes nothing. 0 or Windows' error. */
DWORD place_find(struct place *ret_place);

/* Makes the folders, or puts the rights of existing ones right, and writes the first settings where there are
 * none. Refuses a folder that is no folder but a link, or that somebody else owns: he could change it later.
 * Says what failed. Returns an exit code. */
int place_make(const struct place *place, const wchar_t *service_sid);

/* Removes the folders that are empty. */
void place_remove_empty(const struct place *place);

#endif
