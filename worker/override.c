/* connect_to, read as libcurl reads it. */
#include "override.h"

#include <string.h>
#include <strings.h>

struct end { const char *host; size_t host_length; unsigned port; };   /* port 0: none given */
struct entry { struct end from, to; };

/* One "host:port" at *at. A bracketed host may hold colons. */
static bool take_end(const char **at, const char *limit, struct end *end)
{
    const char *host = *at, *close = host;
    bool six = host < limit && *host == '[';
    close = memchr(host, six ? ']' : ':', (size_t)(limit - host));
    if (!close)
        return false;
    end->host = host + six;
    end->host_length = (size_t)(close - end->host);
    close += six;
    if (close == limit || *close != ':' || end->host_length > 253)
        return false;
    end->port = 0;
    for (*at = close + 1; *at < limit && **at >= '0' && **at <= '9'; (*at)++) {
        end->port = end->port * 10 + (unsigned)(**at - '0');
        if (end->port > 65535)
            return false;
    }
    return true;
}

static bool take_entry(struct ipc_text text, struct entry *entry)
{
    const char *at = text.data, *limit = text.data + text.length;
    if (text.length == 0 || memchr(text.data, '\0', text.length) || !take_end(&at, limit, &entry->from))
        return false;
    if (at == limit || *at++ != ':')
        return false;
    return take_end(&at, limit, &entry->to) && at == limit;
}

bool override_is_connect_to(struct ipc_text text)
{
    struct entry entry;
    return take_entry(text, &entry);
}

static bool fits(const struct end *end, const char *host, unsigned port)
{
    bool same_host = end->host_length == 0
        || (strlen(host) == end->host_length && strncasecmp(host, end->host, end->host_length) == 0);
    return same_host && (end->port == 0 || end->port == port);
}

bool override_connect_to(struct ipc_texts entries, char *host, size_t size, unsigned *port)
{
    for (size_t i = 0; i < entries.count; i++) {
        struct entry entry;
        if (!take_entry(entries.items[i], &entry) || !fits(&entry.from, host, *port))
            continue;
        if (entry.to.host_length == 0 && entry.to.port == 0)
            continue;   /* it changes nothing, and the next one may */
        if (entry.to.host_length > 0 && entry.to.host_length < size) {
            memcpy(host, entry.to.host, entry.to.host_length);
            host[entry.to.host_length] = '\0';
        }
        *port = entry.to.port ? entry.to.port : *port;
        return true;
    }
    return false;
}
