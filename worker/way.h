/* The way a request takes to its origin: which versions of HTTP may be spoken, and whether to the origin's
 * own address or, for HTTP/3, to another place that the origin announced. Pure. */
#ifndef WORKER_WAY_H
#define WORKER_WAY_H

#include "altsvc.h"
#include "ipc/origin.h"

enum way_http {
    WAY_BEST,      /* what TLS agrees on of 1.1 and 2 */
    WAY_1_0, WAY_1_1,
    WAY_2_ONLY,    /* by prior knowledge, in clear as well */
    WAY_3,         /* 3, and what TLS agrees on when UDP does not get through soon */
    WAY_3_ONLY,
};

struct way {
    enum way_http http;
    bool quic;                    /* HTTP/3 may come of it */
    bool shares;                  /* it is known that many requests go over one connection */
    bool alternative;             /* at `place`, since the origin said so */
    struct altsvc_place place;
    uint64_t connect_ms;          /* for the connection to it */
};

/* `table` is what is known of origins; NULL: nothing, and what is known is not to be used. */
void way_choose(struct way *ret_way, const struct ipc_fetch *fetch, const struct ipc_origin *origin,
                struct altsvc *table, uint64_t now_s);

/* The proxy, the trust and the scheme of this fetch allow HTTP/3 to be spoken with its origin. */
bool way_may_quic(const struct ipc_fetch *fetch, const struct ipc_origin *origin);

#endif
