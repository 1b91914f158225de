/* From http_version, and what the origin announced, to a way. */
#include "way.h"

static const struct { const char *name; enum way_http http; } versions[] = {
    { "", WAY_BEST }, { "1.0", WAY_1_0 }, { "1.1", WAY_1_1 }, { "2", WAY_BEST }, { "2-only", WAY_2_ONLY },
    { "3", WAY_3 }, { "3-only", WAY_3_ONLY },
};

static enum way_http find_version(struct ipc_text name)
{
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        if (ipc_text_is(name, versions[i].name))
            return versions[i].http;
    return WAY_BEST;
}

bool way_may_quic(const struct ipc_fetch *fetch, const struct ipc_origin *origin)
{
    return ipc_text_is(origin->scheme, "https") && fetch->proxy.length == 0;
}

/* An announcement is believed only where the origin's certificate was, and leads nowhere that the
 * request's own overrides don't. */
static bool may_follow(const struct ipc_fetch *fetch, const struct altsvc_place *place)
{
    bool overrides = fetch->resolve.count > 0 || fetch->connect_to.count > 0;
    return !fetch->insecure && (!overrides || !place->elsewhere);
}

void way_choose(struct way *ret_way, const struct ipc_fetch *fetch, const struct ipc_origin *origin,
                struct altsvc *table, uint64_t now_s)
{
    struct way way = { .http = find_version(fetch->http_version) };
    bool may_quic = way_may_quic(fetch, origin);
    bool open = fetch->http_version.length == 0 || way.http == WAY_3;
    /* In clear nobody agrees on anything: 2 must be known before. */
    if (ipc_text_is(fetch->http_version, "2") && ipc_text_is(origin->scheme, "http"))
        way.http = WAY_2_ONLY;
    if (way.http == WAY_3 && !may_quic)
        way.http = WAY_BEST;
    struct altsvc_origin announcer = { fetch->jar, origin->key, origin->host, origin->port };
    if (table && open && may_quic && altsvc_find(table, &announcer, now_s, &way.place)
        && may_follow(fetch, &way.place)) {
        way.alternative = true;
        way.http = way.place.elsewhere ? WAY_3_ONLY : WAY_3;
    }
    way.quic = way.http == WAY_3 || way.http == WAY_3_ONLY;
    way.shares = way.http == WAY_2_ONLY || way.http == WAY_3_ONLY;
    *ret_way = way;
}
