/* What a request becomes when a redirect is followed. */
#include "redirect.h"

#include "origin.h"

#include <string.h>

/* Headers that describe the body (go with it), or prove who asks (stay on the origin). */
static const char *const body_headers[] = { "content-type", "content-encoding", "content-language",
                                            "content-location", "content-length", "expect" };
static const char *const credential_headers[] = { "authorization", "cookie", "cookie2", "proxy-authorization",
                                                  "host" };

static bool is_one_of(struct ipc_bytes name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < name.length && names[i][k] && (name.data[k] | 0x20) == (uint8_t)names[i][k])
            k++;
        /* '-' has the 0x20 bit already, so lower-casing by OR leaves it alone. */
        if (k == name.length && names[i][k] == '\0')
            return true;
    }
    return false;
}

#define IS_ONE_OF(name, list) is_one_of(name, list, sizeof list / sizeof list[0])

static bool drops_body(struct ipc_text method, unsigned status)
{
    if (status == 303)
        return !ipc_text_is(method, "HEAD") && !ipc_text_is(method, "GET");
    return (status == 301 || status == 302) && ipc_text_is(method, "POST");
}

static void keep_headers(struct ipc_fetch *fetch, struct ipc_redirect_headers *kept, bool without_body,
                         bool same_origin)
{
    size_t count = 0;
    for (size_t i = 0; i < fetch->headers.count && count < kept->capacity; i++) {
        struct ipc_pair pair = fetch->headers.items[i];
        if (without_body && IS_ONE_OF(pair.name, body_headers))
            continue;
        if (!same_origin && IS_ONE_OF(pair.name, credential_headers))
            continue;
        kept->items[count++] = pair;
    }
    fetch->headers = (struct ipc_pairs){ kept->items, count };
}

static bool is_websocket(const struct ipc_origin *origin)
{
    return ipc_text_is(origin->scheme, "ws") || ipc_text_is(origin->scheme, "wss");
}

/* A WebSocket stays one, and nothing else becomes one. */
static bool may_follow(const struct ipc_origin *from, const struct ipc_origin *to)
{
    if (is_websocket(from))
        return is_websocket(to);
    return ipc_text_is(to->scheme, "http") || ipc_text_is(to->scheme, "https");
}

/* A client certificate is one, too: curl shows it wherever a redirect leads, browsers do not. */
static void drop_credentials(struct ipc_fetch *fetch)
{
    const struct ipc_bytes none = { NULL, 0 };
    fetch->credentials = fetch->bearer = fetch->cert_pem = fetch->key_pem = none;
    fetch->auth = (struct ipc_text){ NULL, 0 };
}

static bool is_secure(const struct ipc_origin *origin)
{
    return ipc_text_is(origin->scheme, "https") || ipc_text_is(origin->scheme, "wss");
}

int ipc_redirect_apply(struct ipc_fetch *fetch, unsigned status, struct ipc_text url,
                       struct ipc_redirect_headers *kept, const char **ret_reason)
{
    struct ipc_origin from, to;
    if (ipc_origin_parse(fetch->url, &from, ret_reason) < 0 || ipc_origin_parse(url, &to, ret_reason) < 0)
        return -1;
    if (!may_follow(&from, &to)) {
        *ret_reason = "redirects are followed to http and https only, a WebSocket's to ws and wss";
        return -1;
    }
    if (fetch->redirect_https_only && !is_secure(&to)) {
        *ret_reason = "the redirect leads to a URL that is not https, and the request follows none of those";
        return -1;
    }
    bool without_body = drops_body(fetch->method, status), same_origin = strcmp(from.key, to.key) == 0;
    keep_headers(fetch, kept, without_body, same_origin);
    if (without_body) {
        fetch->method = IPC_TEXT("GET");
        fetch->body = (struct ipc_bytes){ NULL, 0 };
        fetch->body_streamed = false;
        fetch->body_length = UINT64_MAX;
    }
    if (!same_origin)
        drop_credentials(fetch);
    fetch->cookies = (struct ipc_pairs){ NULL, 0 };
    fetch->url = url;
    return 0;
}
