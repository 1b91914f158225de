/* Limits of one user. Where the file sets none, nobody but an admin may take more than half of all. */
#include "quota.h"

#include <stdio.h>

#define ADMIN_SHARE 16   /* of all connections this part is kept for admins */

static uint64_t half(uint64_t all)
{
    return all > 1 ? all / 2 : 1;
}

static uint64_t most_requests(const struct quota *quota)
{
    const struct conf *conf = quota->conf;
    if (quota->class->requests)
        return quota->class->requests;
    if (conf->principal_requests)
        return conf->principal_requests;
    return quota->admin ? UINT64_MAX : half(conf->requests < conf->queue_limit ? conf->requests : conf->queue_limit);
}

static uint64_t most_sessions(const struct quota *quota)
{
    if (quota->class->sessions)
        return quota->class->sessions;
    return quota->admin ? UINT64_MAX : half(quota->conf->sessions);
}

/* The class is named where it sets the limit itself. */
static bool refuse(const struct quota *quota, bool by_class, const char *what, const char *key,
                   char ret_reason[QUOTA_REASON_BYTES])
{
    if (by_class)
        snprintf(ret_reason, QUOTA_REASON_BYTES, "this user has %s ([class \"%.40s\"] %s)", what, quota->class->name, key);
    else
        snprintf(ret_reason, QUOTA_REASON_BYTES, "this user has %s ([limits] principal_%s)", what, key);
    return false;
}

/* A bucket that holds `burst` and fills at `rate`, kept as the time at which it would be full again. */
static bool charge_rate(const struct conf_class *class, struct principal *principal, uint64_t now_ms)
{
    uint64_t now_us = now_ms * 1000, step_us = class->rate ? 1000000 / class->rate : 0;
    uint64_t full_us = principal->rate_full_us > now_us ? principal->rate_full_us : now_us;
    if (full_us + step_us > now_us + class->burst * step_us)
        return false;
    principal->rate_full_us = full_us + step_us;
    return true;
}

bool quota_takes_request(const struct quota *quota, struct principal *principal, size_t bytes, uint64_t now_ms,
                         char ret_reason[QUOTA_REASON_BYTES])
{
    const struct conf_class *class = quota->class;
    uint64_t most_bytes = class->bytes ? class->bytes : quota->conf->principal_bytes;
    if (principal->in_flight >= most_requests(quota))
        return refuse(quota, class->requests > 0, "too many requests open", "requests", ret_reason);
    if (principal->kept_bytes + bytes > most_bytes)
        return refuse(quota, class->bytes > 0, "too large requests open", "bytes", ret_reason);
    if (!charge_rate(class, principal, now_ms))
        return refuse(quota, true, "asked too often", "rate", ret_reason);
    return true;
}

bool quota_takes_session(const struct quota *quota, const struct principal *principal,
                         char ret_reason[QUOTA_REASON_BYTES])
{
    if (principal->sessions <= most_sessions(quota))
        return true;
    return refuse(quota, true, "too many connections", "sessions", ret_reason);
}

uint64_t quota_sessions(const struct quota *quota)
{
    uint64_t all = quota->conf->sessions;
    return quota->admin ? all : all - all / ADMIN_SHARE;
}
