/* The form of a proxy. */
#include "proxy.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool is_scheme(const char *text, size_t length)
{
    static const char *const schemes[] = { "http", "https", "socks4", "socks4a", "socks5", "socks5h" };
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (strlen(schemes[i]) == length && strncasecmp(text, schemes[i], length) == 0)
            return true;
    return false;
}

const char *conf_proxy_check(const char *proxy, size_t length)
{
    const char *mark = memmem(proxy, length, "://", 3), *end = proxy + length, *host = proxy;
    if (mark && !is_scheme(proxy, (size_t)(mark - proxy)))
        return "has a scheme that is none of http, https, socks4, socks4a, socks5, socks5h";
    host = mark ? mark + 3 : proxy;
    for (const char *c = host; c < end; c++) {
        if ((unsigned char)*c <= ' ' || strchr("/?#\\\"", *c))
            return "has a character that must be written as %XX";
        if (*c == '@')
            host = c + 1;
    }
    return host < end && *host != ':' ? NULL : "names no host";
}
