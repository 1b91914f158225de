/* Default addresses, and what an address may look like. */
#include "endpoint.h"

#include "endpoint_platform.h"

#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#define SCHEME "pipe:"
#define PATH_BEGIN "\\\\.\\pipe\\"
#define SAY_SCHEME "an address begins with pipe: (pipe:\\\\.\\pipe\\fetchd)"
#define NEVER "\\/"
#define SAY_BEGIN "the name after pipe: must begin with \\\\.\\pipe\\ and have no other backslash or slash"
#define SAY_LENGTH "the pipe name is too long (255 bytes at most): choose a shorter one"
#else
#define SCHEME "unix:"
#define PATH_BEGIN "/"
#define NEVER ""
#define SAY_SCHEME "an address begins with unix: (unix:/run/fetchd/fetchd.sock)"
#define SAY_BEGIN "the path after unix: must be absolute"
#ifdef __linux__
#define SAY_LENGTH "the socket path is too long (107 bytes at most): choose a shorter one"
#else
#define SAY_LENGTH "the socket path is too long (103 bytes at most): choose a shorter one"
#endif
#endif

/* An empty variable counts as one that is not set, as the XDG specification says. */
const char *ipc_endpoint_variable(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

static int write_address(char *ret_address, size_t size, const char *address)
{
    if (strlen(address) + 1 > size)
        return -1;
    memcpy(ret_address, address, strlen(address) + 1);
    return 1;
}

int ipc_endpoint_candidate(unsigned index, char *ret_address, size_t size)
{
    const char *named = ipc_endpoint_variable("FETCHD_ADDRESS");
    if (named)
        return index == 0 ? write_address(ret_address, size, named) : 0;
    int users = ipc_endpoint_of_user(ret_address, size);
    if (users != 0 && index == 0)
        return users;
    if (index != (users != 0 ? 1 : 0))
        return 0;
    return write_address(ret_address, size, IPC_ENDPOINT_SYSTEM);
}

int ipc_endpoint_default(char *ret_address, size_t size)
{
    return ipc_endpoint_candidate(0, ret_address, size) == 1 ? 0 : -1;
}

const char *ipc_endpoint_path(const char *address, const char **ret_reason)
{
    if (strncmp(address, SCHEME, sizeof SCHEME - 1) != 0) {
        *ret_reason = SAY_SCHEME;
        return NULL;
    }
    const char *path = address + sizeof SCHEME - 1;
    if (strncmp(path, PATH_BEGIN, sizeof PATH_BEGIN - 1) != 0 || !path[sizeof PATH_BEGIN - 1]
        || strpbrk(path + sizeof PATH_BEGIN - 1, NEVER)) {
        *ret_reason = SAY_BEGIN;
        return NULL;
    }
    if (strlen(path) > IPC_ENDPOINT_PATH_BYTES) {
        *ret_reason = SAY_LENGTH;
        return NULL;
    }
    return path;
}

bool ipc_endpoint_is_system(const char *address)
{
    return strcmp(address, IPC_ENDPOINT_SYSTEM) == 0;
}
