/* The functions that libcurl allocates with. */
#include "memory.h"

#include "ipc/secret.h"

#include <stdint.h>
#include <string.h>

static void *on_curl_calloc(size_t count, size_t size)
{
    if (size > 0 && count > SIZE_MAX / size)
        return NULL;
    void *place = ipc_secret_alloc(count * size);
    return place ? memset(place, 0, count * size) : NULL;
}

static char *on_curl_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = ipc_secret_alloc(bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

CURLcode memory_start_curl(void)
{
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, ipc_secret_alloc, ipc_secret_free, ipc_secret_realloc,
                                on_curl_strdup, on_curl_calloc);
}
