/* The operator's proxies. */
#include "proxypool.h"

#include "ipc/secret.h"

#include <stdlib.h>
#include <string.h>

/* ---- hashing ---- */

/* FNV-1a, and a finish that spreads what differs in the last bytes only (murmur3's). */
static uint64_t mix(uint64_t hash, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t spread(uint64_t hash)
{
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
    return hash ^ hash >> 33;
}

static uint64_t hash_of(const void *data, size_t length)
{
    return spread(mix(0xcbf29ce484222325u, data, length));
}

static uint64_t key_hash(struct proxypool_key key)
{
    return spread(mix(hash_of(&key.principal, sizeof key.principal), key.text.data, key.text.length));
}

/* ---- one proxy ---- */

static struct pooled_proxy *create(const char *url)
{
    size_t length = strlen(url);
    struct pooled_proxy *proxy = calloc(1, sizeof *proxy);
    if (!proxy || !(proxy->url = ipc_secret_alloc(length + 1))) {
        free(proxy);
        return NULL;
    }
    memcpy(proxy->url, url, length + 1);
    proxy_write_label(ipc_text(url), proxy->label);
    proxy->hash = hash_of(url, length);
    return proxy;
}

static void free_unused(struct pooled_proxy *proxy)
{
    if (proxy->listed || proxy->active > 0)
        return;
    ipc_secret_free(proxy->url);
    free(proxy);
}

void pooled_proxy_release(struct pooled_proxy *proxy)
{
    proxy->active--;
    free_unused(proxy);
}

void pooled_proxy_note_success(struct pooled_proxy *proxy)
{
    proxy->attempts++;
    proxy->in_row = 0;
    proxy->rests_until_ms = 0;
}

/* After a rest one failure more is enough: the row has not ended. */
bool pooled_proxy_note_failure(struct pooled_proxy *proxy, uint64_t now_ms)
{
    bool rested = pooled_proxy_rests(proxy, now_ms);
    proxy->attempts++;
    proxy->failed++;
    proxy->in_row++;
    if (rested || proxy->in_row < proxy->most_failures)
        return false;
    proxy->ejections++;
    proxy->rests_until_ms = now_ms + proxy->cooldown_ms;
    return true;
}

bool pooled_proxy_rests(const struct pooled_proxy *proxy, uint64_t now_ms)
{
    return proxy->rests_until_ms > now_ms;
}

bool pooled_proxy_is_fault(enum ipc_error_code code)
{
    static const enum ipc_error_code faults[] = {
        IPC_ERROR_PROXY_DNS, IPC_ERROR_PROXY_REFUSED, IPC_ERROR_PROXY_CONNECT, IPC_ERROR_PROXY_TIMEOUT,
        IPC_ERROR_PROXY_TLS, IPC_ERROR_PROXY_CERTIFICATE, IPC_ERROR_PROXY_AUTH, IPC_ERROR_PROXY_FAILED,
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (faults[i] == code)
            return true;
    return false;
}

/* ---- choice ---- */

static bool is_better(const struct pooled_proxy *proxy, const struct pooled_proxy *best, uint64_t key)
{
    return !best || spread(proxy->hash ^ key) > spread(best->hash ^ key);
}

static struct pooled_proxy *choose_sticky(const struct proxypool *pool, uint64_t key,
                                          const struct pooled_proxy *avoided, uint64_t now_ms)
{
    struct pooled_proxy *best = NULL;
    for (size_t i = 0; i < pool->count; i++) {
        struct pooled_proxy *proxy = pool->proxies[i];
        if (proxy != avoided && !pooled_proxy_rests(proxy, now_ms) && is_better(proxy, best, key))
            best = proxy;
    }
    return best;
}

static struct pooled_proxy *choose_next(struct proxypool *pool, const struct pooled_proxy *avoided,
                                        uint64_t now_ms)
{
    for (size_t i = 0; i < pool->count; i++) {
        struct pooled_proxy *proxy = pool->proxies[(pool->turn + i) % pool->count];
        if (proxy == avoided || pooled_proxy_rests(proxy, now_ms))
            continue;
        pool->turn = (pool->turn + i + 1) % pool->count;
        return proxy;
    }
    return NULL;
}

struct pooled_proxy *proxypool_take(struct proxypool *pool, struct proxypool_key key,
                                    const struct pooled_proxy *avoided, uint64_t now_ms)
{
    bool sticks = key.text.length > 0;
    struct pooled_proxy *proxy = sticks ? choose_sticky(pool, key_hash(key), avoided, now_ms)
                                        : choose_next(pool, avoided, now_ms);
    if (!proxy && avoided)
        return proxypool_take(pool, key, NULL, now_ms);
    if (proxy)
        proxy->active++;
    return proxy;
}

struct proxypool *proxypools_find(const struct proxypools *pools, struct ipc_text name)
{
    for (size_t i = 0; i < pools->count; i++)
        if (ipc_text_is(name, pools->pools[i].name))
            return &pools->pools[i];
    return NULL;
}

/* ---- configuration ---- */

static void finish_pool(struct proxypool *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        pool->proxies[i]->listed = false;
        free_unused(pool->proxies[i]);
    }
    free(pool->proxies);
    free(pool->name);
}

void proxypools_finish(struct proxypools *pools)
{
    for (size_t i = 0; i < pools->count; i++)
        finish_pool(&pools->pools[i]);
    free(pools->pools);
    *pools = (struct proxypools){ NULL, 0 };
}

/* The same URL twice is two places in the turn. */
static struct pooled_proxy *find_known(const struct proxypool *known, const char *url, size_t at)
{
    size_t seen = 0;
    for (size_t i = 0; known && i < known->count; i++)
        if (strcmp(known->proxies[i]->url, url) == 0 && seen++ == at)
            return known->proxies[i];
    return NULL;
}

static size_t count_before(const struct conf_list *urls, size_t index)
{
    size_t count = 0;
    for (size_t i = 0; i < index; i++)
        count += strcmp(urls->items[i], urls->items[index]) == 0;
    return count;
}

/* Proxies that stay are taken from `known`, and are in both until one of the two is finished. */
static int fill_pool(struct proxypool *pool, const struct conf_proxy_pool *conf,
                     const struct proxypool *known)
{
    pool->name = strdup(conf->name);
    pool->proxies = calloc(conf->urls.count, sizeof(struct pooled_proxy *));
    if (!pool->name || !pool->proxies)
        return -1;
    for (size_t i = 0; i < conf->urls.count; i++) {
        struct pooled_proxy *proxy = find_known(known, conf->urls.items[i], count_before(&conf->urls, i));
        if (!proxy && !(proxy = create(conf->urls.items[i])))
            return -1;
        proxy->active++;   /* held while both have it */
        pool->proxies[pool->count++] = proxy;
    }
    return 0;
}

static void settle_pool(struct proxypool *pool, const struct conf_proxy_pool *conf)
{
    for (size_t i = 0; i < pool->count; i++) {
        struct pooled_proxy *proxy = pool->proxies[i];
        proxy->listed = true;
        proxy->active--;
        proxy->most_failures = conf->failures;
        proxy->cooldown_ms = conf->cooldown_ms;
    }
}

static void abandon(struct proxypools *fresh)
{
    for (size_t i = 0; i < fresh->count; i++) {
        for (size_t k = 0; k < fresh->pools[i].count; k++)
            pooled_proxy_release(fresh->pools[i].proxies[k]);
        fresh->pools[i].count = 0;
    }
    proxypools_finish(fresh);
}

int proxypools_configure(struct proxypools *pools, const struct conf *conf)
{
    size_t sections = conf->proxy_pools.count - 1;   /* the last is "*" */
    struct proxypools fresh = { calloc(sections ? sections : 1, sizeof *fresh.pools), 0 };
    const struct conf_proxy_pool *const *wanted = (void *)conf->proxy_pools.records;
    if (!fresh.pools)
        return -1;
    for (size_t i = 0; i < sections; i++) {
        if (wanted[i]->urls.count == 0)
            continue;
        struct proxypool *known = proxypools_find(pools, ipc_text(wanted[i]->name));
        if (fill_pool(&fresh.pools[fresh.count++], wanted[i], known) < 0) {
            abandon(&fresh);
            return -1;
        }
    }
    proxypools_finish(pools);
    *pools = fresh;
    for (size_t i = 0, k = 0; i < sections; i++)
        if (wanted[i]->urls.count > 0)
            settle_pool(&pools->pools[k++], wanted[i]);
    return 0;
}
