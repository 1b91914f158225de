/* Any bytes as a URL: what is taken for an origin must be one, and what is logged must be harmless. */
#include "target.h"

#include "ipc/origin.h"

#include <string.h>

static void check_inside(struct ipc_text part, struct ipc_text url)
{
    HOLDS(part.length == 0 || (part.data >= url.data && part.data + part.length <= url.data + url.length));
}

/* A key is lower case, printable, and is its own key. */
static void check_key(const struct ipc_origin *origin)
{
    struct ipc_origin again;
    const char *reason;
    HOLDS(memchr(origin->key, '\0', sizeof origin->key));
    for (const char *at = origin->key; *at; at++)
        HOLDS(*at > 0x20 && *at < 0x7f && !(*at >= 'A' && *at <= 'Z') && *at != '@');
    HOLDS(ipc_origin_parse(ipc_text(origin->key), &again, &reason) == 0);
    HOLDS(strcmp(again.key, origin->key) == 0);
}

static void check_log(struct ipc_text url, size_t room)
{
    char text[512];
    HOLDS(room <= sizeof text);
    memset(text, 'x', sizeof text);
    ipc_origin_log_url(url, text, room);
    HOLDS(memchr(text, '\0', room));
    HOLDS(!strpbrk(text, "?#\r\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ipc_text url = { (const char *)data, size };
    struct ipc_origin origin;
    const char *reason = NULL;
    if (ipc_origin_parse(url, &origin, &reason) == 0) {
        check_inside(origin.host, url);
        check_inside(origin.userinfo, url);
        HOLDS(origin.host.length > 0 && origin.port > 0 && origin.port <= 65535);
        check_key(&origin);
    } else {
        HOLDS(reason && reason[0]);
    }
    check_log(url, 512);
    check_log(url, 32);
    return 0;
}
