/* Proxies in a request's own words. */
#include "proxy.h"

#include <string.h>

static const struct { const char *name; bool is_https, is_given_addresses; } schemes[] = {
    { "http", false, false }, { "https", true, false }, { "socks4", false, true }, { "socks4a", false, false },
    { "socks5", false, true }, { "socks5h", false, false },
};

static const char *find(const char *at, const char *end, const char *text)
{
    size_t length = strlen(text);
    for (; at + length <= end; at++)
        if (memcmp(at, text, length) == 0)
            return at;
    return NULL;
}

static bool take_scheme(const char **at, const char *end, struct proxy *proxy)
{
    const char *mark = find(*at, end, "://");
    if (!mark)
        return true;   /* http, as curl has it */
    size_t length = (size_t)(mark - *at);
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t k = 0;
        while (k < length && schemes[i].name[k] && ((*at)[k] | 0x20) == schemes[i].name[k])
            k++;
        /* '4', '5' and their like have the 0x20 bit already. */
        if (k != length || schemes[i].name[k])
            continue;
        proxy->is_https = schemes[i].is_https;
        proxy->is_given_addresses = schemes[i].is_given_addresses;
        *at = mark + 3;
        return true;
    }
    return false;
}

/* Where the host begins: behind the last @. What stands before it must not end the authority. */
static bool skip_userinfo(const char **at, const char *end)
{
    const char *host = *at;
    for (const char *c = *at; c < end; c++) {
        if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("/?#\\", *c))
            return false;
        if (*c == '@')
            host = c + 1;
    }
    *at = host;
    return true;
}

static bool is_host_char(char c, bool six)
{
    bool hex = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
    if (six)
        return hex || c == ':' || c == '.';
    return hex || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '.' || c == '-' || c == '_';
}

static bool take_host(const char **at, const char *end, struct proxy *proxy)
{
    bool six = *at < end && **at == '[';
    size_t length = 0;
    *at += six;
    while (*at < end && is_host_char(**at, six) && length < sizeof proxy->host - 1)
        proxy->host[length++] = *(*at)++;
    proxy->host[length] = '\0';
    if (six && (*at == end || *(*at)++ != ']'))
        return false;
    return length > 0;
}

static bool take_port(const char **at, const char *end)
{
    unsigned port = 0;
    if (*at == end)
        return true;
    if (*(*at)++ != ':')
        return false;
    for (; *at < end && **at >= '0' && **at <= '9' && port <= 65535; (*at)++)
        port = port * 10 + (unsigned)(**at - '0');
    return *at == end && port > 0 && port <= 65535;
}

int proxy_parse(struct ipc_text text, struct proxy *ret_proxy, const char **ret_reason)
{
    const char *at = text.data, *end = text.data + text.length;
    struct proxy proxy = { .is_https = false };
    if (end > at && end[-1] == '/')
        end--;
    *ret_reason = "the proxy's scheme is none of http, https, socks4, socks4a, socks5, socks5h";
    if (!take_scheme(&at, end, &proxy))
        return -1;
    *ret_reason = "the proxy is not written [scheme://][user:password@]host[:port], odd characters as %XX";
    if (!skip_userinfo(&at, end) || !take_host(&at, end, &proxy) || !take_port(&at, end))
        return -1;
    *ret_proxy = proxy;
    return 0;
}
