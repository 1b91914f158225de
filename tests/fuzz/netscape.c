/* A cookie file that holds anything: what is read from it is written as one line, and that is read as the
 * same. */
#include "target.h"

#include "client/netscape.h"

#include <string.h>

static bool same(struct ipc_bytes a, struct ipc_bytes b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static bool is_plain(struct ipc_bytes bytes, const char *odd)
{
    for (size_t i = 0; i < bytes.length; i++)
        if (bytes.data[i] == '\0' || strchr(odd, bytes.data[i]))
            return false;
    return true;
}

/* What has a tab, or would look like a comment, no daemon takes. */
static bool can_be_kept(const struct ipc_cookie *cookie)
{
    struct ipc_bytes domain = { (const uint8_t *)cookie->domain.data, cookie->domain.length };
    return is_plain(domain, "\t#.\r") && is_plain(cookie->path, "\t\r") && is_plain(cookie->name, "\t\r")
        && is_plain(cookie->value, "\t\r");
}

static void check_round(const struct ipc_cookie *cookie)
{
    struct text out = { 0 };
    struct ipc_cookie again;
    struct ipc_bytes line;
    netscape_write(&out, cookie);
    struct ipc_bytes text = { (const uint8_t *)out.data, out.length };
    HOLDS(out.failed || (netscape_next_line(&text, &line) && netscape_read(line, &again)));
    if (!out.failed) {
        HOLDS(same(again.name, cookie->name) && same(again.value, cookie->value)
              && same(again.path, cookie->path));
        HOLDS(again.expires_s == cookie->expires_s && again.secure == cookie->secure);
        HOLDS(again.host_only == cookie->host_only && again.http_only == cookie->http_only);
        HOLDS(again.domain.length == cookie->domain.length);
    }
    text_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ipc_bytes text = { data, size }, line;
    struct ipc_cookie cookie;
    size_t lines = 0;
    while (netscape_next_line(&text, &line)) {
        HOLDS(++lines <= size && line.data >= data && line.data + line.length <= data + size);
        if (netscape_read(line, &cookie) && can_be_kept(&cookie))
            check_round(&cookie);
    }
    return 0;
}
