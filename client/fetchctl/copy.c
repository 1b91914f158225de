/* A response that outlives its event: one piece of memory for all of it. */
#include "copy.h"

#include "memory.h"

#include <stdlib.h>
#include <string.h>

static size_t size_of(const struct fetchd_response *response)
{
    size_t size = sizeof *response + response->header_count * sizeof *response->headers
        + response->cert_count * sizeof *response->certs + strlen(response->url)
            + strlen(response->http_version) + 2;
    for (size_t i = 0; i < response->header_count; i++)
        size += strlen(response->headers[i].name) + strlen(response->headers[i].value) + 2;
    for (size_t i = 0; i < response->cert_count; i++)
        size += strlen(response->certs[i]) + 1;
    return size;
}

static const char *put(char **place, const char *string)
{
    size_t size = strlen(string) + 1;
    char *copy = memcpy(*place, string, size);
    *place += size;
    return copy;
}

struct fetchd_response *copy_response(const struct fetchd_response *response)
{
    struct fetchd_response *copy = must_allocate(1, size_of(response));
    struct fetchd_header *headers = (struct fetchd_header *)(void *)(copy + 1);
    const char **certs = (const char **)(void *)(headers + response->header_count);
    char *place = (char *)(certs + response->cert_count);
    for (size_t i = 0; i < response->header_count; i++) {
        headers[i].name = put(&place, response->headers[i].name);
        headers[i].value = put(&place, response->headers[i].value);
    }
    for (size_t i = 0; i < response->cert_count; i++)
        certs[i] = put(&place, response->certs[i]);
    copy->status = response->status;
    copy->certs = certs;
    copy->cert_count = response->cert_count;
    copy->headers = headers;
    copy->header_count = response->header_count;
    copy->url = put(&place, response->url);
    copy->http_version = put(&place, response->http_version);
    return copy;
}

void copy_free(struct fetchd_response *response)
{
    free(response);
}
