/* One origin's limits and breaker. */
#include "origin.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

const char *origin_breaker_name(enum origin_breaker breaker)
{
    static const char *const names[] = { "closed", "open", "half-open" };
    return names[breaker];
}

/* ---- the table ---- */

void origins_configure(struct origins *origins, const struct conf *conf)
{
    origins->conf = conf;
    origins->generation++;
}

static const struct conf_origin *rules_of(struct origins *origins, struct origin *origin)
{
    if (origin->rules_of != origins->generation) {
        origin->rules = conf_origin(origins->conf, origin->key, origin->host);
        origin->rules_of = origins->generation;
    }
    return origin->rules;
}

static struct origin *create(struct origins *origins, const struct ipc_origin *parsed, size_t length)
{
    struct origin *origin = calloc(1, sizeof *origin);
    if (!origin)
        return NULL;
    memcpy(origin->key, parsed->key, length + 1);
    memcpy(origin->host, parsed->host.data, parsed->host.length);
    HASH_ADD_KEYPTR(handle, origins->by_key, origin->key, length, origin);
    return origin;
}

static void take_idle(struct origins *origins, struct origin *origin)
{
    DL_DELETE(origins->idle, origin);
    origins->idle_count--;
}

static void forget(struct origins *origins, struct origin *origin)
{
    if (origin->references == 0)
        take_idle(origins, origin);
    HASH_DELETE(handle, origins->by_key, origin);
    free(origin);
}

struct origin *origins_hold(struct origins *origins, const struct ipc_origin *parsed)
{
    struct origin *origin;
    size_t length = strlen(parsed->key);
    HASH_FIND(handle, origins->by_key, parsed->key, length, origin);
    if (!origin)
        origin = create(origins, parsed, length);
    else if (origin->references == 0)
        take_idle(origins, origin);
    if (origin)
        origin->references++;
    return origin;
}

/* Names come from clients and from redirects, so that there is no end of them. */
void origins_release(struct origins *origins, struct origin *origin)
{
    if (--origin->references > 0)
        return;
    DL_APPEND(origins->idle, origin);
    if (++origins->idle_count > ORIGINS_IDLE_MOST)
        forget(origins, origins->idle);
}

void origins_expire(struct origins *origins, uint64_t before_ms)
{
    struct origin *origin, *next;
    while (origins->idle && (before_ms == UINT64_MAX || origins->idle->used_ms <= before_ms))
        forget(origins, origins->idle);
    if (before_ms != UINT64_MAX)
        return;
    HASH_ITER(handle, origins->by_key, origin, next)
        forget(origins, origin);
}

/* ---- limits ---- */

static uint64_t spacing_us(const struct conf_origin *rules)
{
    uint64_t by_rate_us = rules->rate ? (1000000 + rules->rate - 1) / rules->rate : 0;
    return rules->crawl_delay_ms * 1000 > by_rate_us ? rules->crawl_delay_ms * 1000 : by_rate_us;
}

/* The generic cell rate algorithm: next_us runs ahead of the clock by what was sent too early, at
 * most by the burst. The clock ticks in ms: what is due within this one leaves now. */
static bool charge_rate(const struct conf_origin *rules, struct origin *origin, uint64_t now_ms,
                        uint64_t *ret_until_ms)
{
    uint64_t step_us = spacing_us(rules), ahead_us = step_us * (rules->burst - 1), now_us = now_ms * 1000;
    if (step_us == 0)
        return true;
    if (origin->next_us >= now_us + ahead_us + 1000) {
        *ret_until_ms = (origin->next_us - ahead_us) / 1000;
        return false;
    }
    origin->next_us = (origin->next_us > now_us ? origin->next_us : now_us) + step_us;
    return true;
}

const char *origin_limit_name(struct origins *origins, struct origin *origin)
{
    const struct conf_origin *rules = rules_of(origins, origin);
    if (rules->connections > 0 && origin->active >= rules->connections)
        return "connections";
    return rules->crawl_delay_ms * 1000 == spacing_us(rules) ? "crawl_delay" : "rate";
}

/* ---- the breaker: closed -> open -> half open -> closed or open ---- */

static bool breaker_refuses(struct origin *origin, uint64_t now_ms)
{
    if (origin->breaker == ORIGIN_OPEN && now_ms >= origin->open_until_ms)
        origin->breaker = ORIGIN_HALF_OPEN;
    if (origin->breaker == ORIGIN_HALF_OPEN && !origin->probing)
        return false;
    return origin->breaker != ORIGIN_CLOSED;
}

bool origin_note(struct origins *origins, struct origin *origin, bool success, uint64_t now_ms)
{
    const struct conf_origin *rules = rules_of(origins, origin);
    enum origin_breaker before = origin->breaker;
    origin->requests++;
    origin->used_ms = now_ms;
    origin->probing = false;
    if (success) {
        origin->failures = 0;
        origin->breaker = ORIGIN_CLOSED;
        return before != ORIGIN_CLOSED;
    }
    origin->failed++;
    origin->failures++;
    bool trips = rules->breaker_failures > 0 && origin->failures >= rules->breaker_failures;
    if (before == ORIGIN_HALF_OPEN || (before == ORIGIN_CLOSED && trips)) {
        origin->breaker = ORIGIN_OPEN;
        origin->open_until_ms = now_ms + rules->breaker_open_ms;
        return true;
    }
    return false;
}

void origin_note_nothing(struct origin *origin)
{
    origin->probing = false;
}

/* ---- admission ---- */

enum origin_verdict origin_admit(struct origins *origins, struct origin *origin, uint64_t now_ms,
                                 uint64_t *ret_until_ms)
{
    const struct conf_origin *rules = rules_of(origins, origin);
    *ret_until_ms = UINT64_MAX;
    origin->used_ms = now_ms;
    if (breaker_refuses(origin, now_ms))
        return ORIGIN_REFUSE;
    if (rules->connections > 0 && origin->active >= rules->connections)
        return ORIGIN_WAIT;
    if (!charge_rate(rules, origin, now_ms, ret_until_ms))
        return ORIGIN_WAIT;
    origin->probing = origin->breaker == ORIGIN_HALF_OPEN;
    return ORIGIN_GO;
}

uint64_t origin_handshakes(struct origins *origins, struct origin *origin)
{
    return rules_of(origins, origin)->handshakes;
}

void origin_enter(struct origin *origin)
{
    origin->active++;
}

void origin_leave(struct origin *origin)
{
    origin->active--;
}
