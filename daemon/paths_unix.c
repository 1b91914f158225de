/* As the service manager says, or as installed. */
#include "paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* The one beside this fetchd in a build tree; else the installed one. */
bool paths_worker(unsigned index, char ret_path[PATHS_BYTES])
{
    char self[PATHS_BYTES / 2];
    size_t size = sizeof self;
    if (index > 1)
        return false;
    snprintf(ret_path, PATHS_BYTES, "%s", FETCHD_WORKER);
    if (index == 0 && uv_exepath(self, &size) == 0 && strrchr(self, '/')) {
        *strrchr(self, '/') = '\0';
        snprintf(ret_path, PATHS_BYTES, "%s/../worker/fetchd-worker", self);
    }
    return true;
}

bool paths_conf(char ret_path[PATHS_BYTES])
{
    ret_path[0] = '\0';
    return false;
}

bool paths_state(char ret_path[PATHS_BYTES])
{
    const char *systemds = getenv("STATE_DIRECTORY");
    snprintf(ret_path, PATHS_BYTES, "%s", systemds ? systemds : "");
    return systemds != NULL;
}
