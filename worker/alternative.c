/* Alternative services in the life of a fetch. */
#include "alternative.h"

#include "answer.h"
#include "ipc/origin.h"
#include "oserror.h"
#include "transfer.h"

#include <errno.h>

#define MOST_CONNECT_MS 1000   /* for an alternative, before the origin itself is asked */

static struct altsvc_origin origin_of(const struct transfer *transfer)
{
    return (struct altsvc_origin){ transfer->fetch->jar, transfer->origin_key, ipc_text(transfer->host),
                                   transfer->port };
}

static uint64_t now_s(const struct transfer *transfer)
{
    return uv_now(transfer->deadline.timer.loop) / 1000;
}

void alternative_choose(struct transfer *transfer, const struct ipc_origin *origin)
{
    struct altsvc *table = FETCHD_HTTP3 ? &transfer->partition->altsvc : NULL;
    uint64_t connect_ms = transfer->deadline.limits.connect_ms / 2;
    way_choose(&transfer->way, transfer->fetch, origin, table, now_s(transfer));
    transfer->way.connect_ms = connect_ms > 0 && connect_ms < MOST_CONNECT_MS ? connect_ms : MOST_CONNECT_MS;
}

/* A connection of its own that is not HTTP/3 means that UDP was the slower one. */
static void judge(struct transfer *transfer, struct altsvc *table)
{
    const struct altsvc_place *place = &transfer->way.place;
    struct altsvc_origin origin = origin_of(transfer);
    if (transfer->headers.version[0] == '3' && transfer->headers.status != 421)
        altsvc_worked(table, &origin, place);
    else if (transfer->headers.status == 421 || easy_info(transfer->easy, CURLINFO_NUM_CONNECTS) > 0)
        altsvc_failed(table, &origin, place, now_s(transfer));
}

bool alternative_learn(struct transfer *transfer)
{
    struct altsvc *table = &transfer->partition->altsvc;
    const struct ipc_fetch *fetch = transfer->fetch;
    if (!FETCHD_HTTP3 || !transfer->is_https || fetch->proxy.length > 0)
        return true;
    struct altsvc_origin origin = origin_of(transfer);
    if (headers_find(&transfer->headers, "alt-svc").data)
        altsvc_learn(table, &origin, answer_pairs(transfer), transfer->remote_public, now_s(transfer));
    if (transfer->way.alternative)
        judge(transfer, table);
    transfer->misdirected = transfer->way.alternative && transfer->headers.status == 421
        && transfer->idempotent && !fetch->body_streamed;
    return !transfer->misdirected;
}

static bool is_moved(int os_errno)
{
    int number = oserror_number(os_errno);
    return number == ENETUNREACH || number == ENETDOWN || number == EADDRNOTAVAIL;
}

bool alternative_give_up(struct transfer *transfer)
{
    struct altsvc *table = &transfer->partition->altsvc;
    if (is_moved((int)easy_info(transfer->easy, CURLINFO_OS_ERRNO)))
        altsvc_moved(table);
    if (transfer->misdirected)
        return true;
    if (!transfer->way.alternative || !transfer->way.place.elsewhere || transfer->sent)
        return false;
    struct altsvc_origin origin = origin_of(transfer);
    altsvc_failed(table, &origin, &transfer->way.place, now_s(transfer));
    return true;
}
