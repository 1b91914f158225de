/* A redirect from any URL to any URL, with any headers: on another origin no proof of who asks
 * may go along. The input's lines: status, method, URL, location, then header names. */
#include "target.h"

#include "ipc/origin.h"
#include "ipc/redirect.h"

#include <string.h>
#include <strings.h>

#define HEADERS 16

static struct ipc_text take_line(const char **at, const char *end)
{
    const char *newline = memchr(*at, '\n', (size_t)(end - *at)), *stop = newline ? newline : end;
    struct ipc_text line = { *at, (size_t)(stop - *at) };
    *at = newline ? newline + 1 : end;
    return line;
}

static bool is_secret(struct ipc_bytes name)
{
    static const char *const secrets[] = { "authorization", "cookie", "proxy-authorization" };
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        if (name.length == strlen(secrets[i]) && strncasecmp((const char *)name.data, secrets[i], name.length) == 0)
            return true;
    return false;
}

static bool is_web_socket(struct ipc_text scheme)
{
    return ipc_text_is(scheme, "ws") || ipc_text_is(scheme, "wss");
}

static bool is_http(struct ipc_text scheme)
{
    return ipc_text_is(scheme, "http") || ipc_text_is(scheme, "https");
}

static void check_followed(const struct ipc_fetch *before, const struct ipc_fetch *after, unsigned status)
{
    struct ipc_origin from, to;
    const char *reason;
    HOLDS(ipc_origin_parse(before->url, &from, &reason) == 0 && ipc_origin_parse(after->url, &to, &reason) == 0);
    HOLDS(is_web_socket(from.scheme) ? is_web_socket(to.scheme) : is_http(to.scheme));
    HOLDS(after->headers.count <= before->headers.count);
    if (strcmp(from.key, to.key) != 0) {
        HOLDS(after->credentials.length == 0);
        for (size_t i = 0; i < after->headers.count; i++)
            HOLDS(!is_secret(after->headers.items[i].name));
    } else {
        HOLDS(after->credentials.length == before->credentials.length);
    }
    if (status == 307 || status == 308)
        HOLDS(after->body.length == before->body.length && after->method.length == before->method.length);
    if (status == 303)
        HOLDS(after->body.length == 0 || ipc_text_is(after->method, "HEAD") || ipc_text_is(after->method, "GET"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned statuses[] = { 301, 302, 303, 307, 308 };
    const char *at = (const char *)data, *end = at + size, *reason = NULL;
    struct ipc_pair headers[HEADERS], room[HEADERS];
    struct ipc_fetch fetch;
    IPC_INIT(FETCH, &fetch);
    struct ipc_text first = take_line(&at, end);
    unsigned status = statuses[first.length ? (unsigned char)first.data[0] % 5 : 0];
    fetch.method = take_line(&at, end);
    fetch.url = take_line(&at, end);
    struct ipc_text location = take_line(&at, end);
    size_t count = 0;
    while (at < end && count < HEADERS) {
        struct ipc_text name = take_line(&at, end);
        headers[count++] = (struct ipc_pair){ { (const uint8_t *)name.data, name.length }, { NULL, 0 } };
    }
    fetch.headers = (struct ipc_pairs){ headers, count };
    fetch.body = (struct ipc_bytes){ (const uint8_t *)"body", 4 };
    fetch.credentials = (struct ipc_bytes){ (const uint8_t *)"user:password", 13 };
    struct ipc_fetch before = fetch;
    struct ipc_redirect_headers kept = { room, HEADERS };
    if (ipc_redirect_apply(&fetch, status, location, &kept, &reason) == 0)
        check_followed(&before, &fetch, status);
    else
        HOLDS(reason && reason[0]);
    return 0;
}
