/* %ProgramData%\fetchd, and the folder of this program. */
#include "paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static bool is_there(const char *path)
{
    uv_fs_t request;
    int status = uv_fs_access(NULL, &request, path, 0, NULL);
    uv_fs_req_cleanup(&request);
    return status == 0;
}

/* In the service's folder, where install makes what belongs there. To users, who may not look into it, nothing is
 * there: a fetchd of their own does without. */
static bool in_data(const char *name, char ret_path[PATHS_BYTES])
{
    char data[PATHS_BYTES / 2];
    size_t size = sizeof data;
    ret_path[0] = '\0';
    if (uv_os_getenv("ProgramData", data, &size) < 0)
        return false;
    snprintf(ret_path, PATHS_BYTES, "%s\\fetchd\\%s", data, name);
    return is_there(ret_path);
}

/* The one beside this fetchd, as installed; else the one in a build tree. */
bool paths_worker(unsigned index, char ret_path[PATHS_BYTES])
{
    static const char *const places[] = { "fetchd-worker.exe", "..\\worker\\fetchd-worker.exe" };
    char self[PATHS_BYTES / 2];
    size_t size = sizeof self;
    if (index >= sizeof places / sizeof places[0] || uv_exepath(self, &size) < 0 || !strrchr(self, '\\'))
        return false;
    *strrchr(self, '\\') = '\0';
    snprintf(ret_path, PATHS_BYTES, "%s\\%s", self, places[index]);
    return true;
}

bool paths_conf(char ret_path[PATHS_BYTES])
{
    return in_data("fetchd.ini", ret_path);
}

bool paths_state(char ret_path[PATHS_BYTES])
{
    return in_data("state", ret_path);
}
