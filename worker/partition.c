/* Partitions by the exact bytes of their key. */
#include "partition.h"

#include "ipc/secret.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

#define IDLE_EASIES 256   /* kept per partition */

/* ---- keys ---- */

/* Length first, so that no two lists of values make the same bytes. */
static bool add_part(struct ipc_buffer *key, const void *data, size_t length)
{
    uint32_t prefix = (uint32_t)length;
    return ipc_buffer_append(key, &prefix, sizeof prefix) == 0 && ipc_buffer_append(key, data, length) == 0;
}

static bool add_bytes(struct ipc_buffer *key, struct ipc_bytes bytes)
{
    return add_part(key, bytes.data, bytes.length);
}

static bool add_text(struct ipc_buffer *key, struct ipc_text text)
{
    return add_part(key, text.data, text.length);
}

static bool add_texts(struct ipc_buffer *key, struct ipc_texts texts)
{
    bool fits = add_part(key, &texts.count, sizeof texts.count);
    for (size_t i = 0; fits && i < texts.count; i++)
        fits = add_text(key, texts.items[i]);
    return fits;
}

/* libcurl gives a kept HTTP/1.1 connection to whoever would also take 1.1; those who insisted on it must not
 * keep the others from HTTP/2. */
static bool wants_old_http(const struct ipc_fetch *fetch)
{
    return fetch->http_version.length > 0 && fetch->http_version.data[0] == '1';
}

/* Most requests have nothing of what else sets partitions apart. */
static bool is_plain(const struct ipc_fetch *fetch)
{
    return (fetch->proxy.length | fetch->proxy_credentials.length | fetch->proxy_auth.length | fetch->proxy_ca_pem.length
            | fetch->ca_pem.length | fetch->cert_pem.length | fetch->key_pem.length | fetch->pinned_key.length
            | fetch->tls_min.length | fetch->tls_max.length | fetch->resolve.count | fetch->connect_to.count) == 0;
}

static bool add_rest(struct ipc_buffer *key, const struct ipc_fetch *fetch)
{
    return add_text(key, fetch->proxy) && add_bytes(key, fetch->proxy_credentials)
        && add_text(key, fetch->proxy_auth) && add_bytes(key, fetch->proxy_ca_pem)
        && add_bytes(key, fetch->ca_pem) && add_bytes(key, fetch->cert_pem) && add_bytes(key, fetch->key_pem)
        && add_text(key, fetch->pinned_key) && add_text(key, fetch->tls_min) && add_text(key, fetch->tls_max)
        && add_texts(key, fetch->resolve) && add_texts(key, fetch->connect_to);
}

/* A key without the rest is shorter than any with it. */
static bool write_key(struct ipc_buffer *key, const struct ipc_fetch *fetch)
{
    const bool flags[] = { fetch->insecure, wants_old_http(fetch), fetch->ca_extends, fetch->proxy_insecure,
                           fetch->proxy_exempt };
    ipc_buffer_consume(key, ipc_buffer_length(key));
    return add_part(key, &fetch->principal, sizeof fetch->principal) && add_part(key, flags, sizeof flags)
        && (is_plain(fetch) || add_rest(key, fetch));
}

/* FNV-1a. A client that makes keys collide lengthens a chain bounded by the number of partitions. */
static uint64_t hash_key(const struct ipc_buffer *key)
{
    uint64_t hash = 0xcbf29ce484222325u;
    const uint8_t *bytes = ipc_buffer_data(key);
    for (size_t i = 0; i < ipc_buffer_length(key); i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

static bool same_key(const struct partition *partition, uint64_t hash, const struct ipc_buffer *key)
{
    return partition->hash == hash && partition->key_length == ipc_buffer_length(key)
        && memcmp(partition->key, ipc_buffer_data(key), partition->key_length) == 0;
}

/* ---- life ---- */

static void spread_threads(struct partitions *partitions);

static void close_partition(struct partition *partition)
{
    struct partitions *owner = partition->owner;
    while (partition->easies) {
        struct easy *easy = partition->easies;
        partition->easies = easy->next;
        easy_destroy(easy);
    }
    while (partition->multis) {
        struct multi *multi = partition->multis;
        partition->multis = multi->next;
        multi_close(multi);
        owner->multi_count--;
    }
    scouts_finish(&partition->scouts);
    altsvc_finish(&partition->altsvc);
    if (partition->share)
        curl_share_cleanup(partition->share);
    curl_slist_free_all(partition->resolve);
    curl_slist_free_all(partition->connect_to);
    tls_trust_destroy(partition->own_trust);
    tls_trust_destroy(partition->own_proxy_trust);
    tls_identity_destroy(partition->identity);
    ipc_secret_free(partition->proxy_url);
    ipc_secret_free(partition->proxy_user);
    ipc_secret_free(partition->proxy_password);
    ipc_secret_free(partition->pinned_key);
    ipc_secret_free(partition->key);
    free(partition);
}

/* ORs libcurl's result codes, of which 0 is success. */
static bool open_share(struct partition *partition)
{
    partition->share = curl_share_init();
    if (!partition->share)
        return false;
    CURLSHcode result = curl_share_setopt(partition->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    result |= curl_share_setopt(partition->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    return result == CURLSHE_OK;
}

static bool copy_list(struct ipc_texts texts, struct curl_slist **list)
{
    for (size_t i = 0; i < texts.count; i++) {
        char *text = strndup(texts.items[i].data, texts.items[i].length);
        struct curl_slist *longer = text ? curl_slist_append(*list, text) : NULL;
        free(text);
        if (!longer)
            return false;
        *list = longer;
    }
    return true;
}

static bool copy_text(const void *data, size_t length, char **ret_text)
{
    *ret_text = ipc_secret_alloc(length + 1);
    if (!*ret_text)
        return false;
    if (length > 0)
        memcpy(*ret_text, data, length);
    (*ret_text)[length] = '\0';
    return true;
}

/* ---- TLS ---- */

/* "1.2" -> CURL_SSLVERSION_TLSv1_2 */
static long tls_number(const char *version)
{
    return CURL_SSLVERSION_TLSv1_0 + (version[2] - '0');
}

static const char *set_up_versions(struct partition *partition, const struct ipc_fetch *fetch)
{
    const char *least = partition->owner->settings->tls_min;
    if ((fetch->tls_min.length > 0 && fetch->tls_min.data[2] < least[2])
        || (fetch->tls_max.length > 0 && fetch->tls_max.data[2] < least[2]))
        return "a TLS version below [tls] min_version, which the operator sets";
    partition->tls_version = tls_number(fetch->tls_min.length > 0 ? fetch->tls_min.data : least);
    if (fetch->tls_max.length > 0)
        partition->tls_version |= tls_number(fetch->tls_max.data) << 16;
    return NULL;
}

/* The store of the worker, or one of the request's own. */
static const char *set_up_trust(const struct settings *settings, struct ipc_bytes pem, bool extends,
                                struct tls_trust **ret_own, struct tls_trust **ret_trust)
{
    const char *reason = NULL;
    *ret_trust = settings->trust;
    if (pem.length == 0)
        return NULL;
    *ret_own = *ret_trust = tls_trust_create(pem, extends ? settings->trust : NULL, &reason);
    return reason;
}

static const char *set_up_tls(struct partition *partition, const struct ipc_fetch *fetch,
                              enum ipc_error_code *ret_error)
{
    const struct settings *settings = partition->owner->settings;
    partition->insecure = fetch->insecure;
    partition->proxy_insecure = fetch->proxy_insecure;
    *ret_error = IPC_ERROR_REQUEST_INVALID;
    const char *reason = set_up_versions(partition, fetch);
    if (!reason)
        reason = set_up_trust(settings, fetch->ca_pem, fetch->ca_extends, &partition->own_trust,
                              &partition->trust);
    if (!reason)
        reason = set_up_trust(settings, fetch->proxy_ca_pem, false, &partition->own_proxy_trust,
                              &partition->proxy_trust);
    if (reason || fetch->cert_pem.length == 0)
        return reason;
    *ret_error = IPC_ERROR_TLS_CLIENT_CERTIFICATE;
    partition->identity = tls_identity_create(fetch->cert_pem, fetch->key_pem, &reason);
    return reason;
}

/* ---- the proxy ---- */

static long auth_of(struct ipc_text name)
{
    if (ipc_text_is(name, "digest"))
        return CURLAUTH_DIGEST;
    return ipc_text_is(name, "any") ? CURLAUTH_BASIC | CURLAUTH_DIGEST : CURLAUTH_BASIC;
}

static bool set_up_proxy(struct partition *partition, const struct ipc_fetch *fetch)
{
    struct ipc_bytes login = fetch->proxy_credentials;
    const char *reason, *colon = login.length > 0 ? memchr(login.data, ':', login.length) : NULL;
    size_t user = colon ? (size_t)(colon - (const char *)login.data) : login.length;
    partition->proxy_auth = auth_of(fetch->proxy_auth);
    if (!copy_text(fetch->proxy.data, fetch->proxy.length, &partition->proxy_url))
        return false;
    if (fetch->proxy.length > 0)
        proxy_parse(fetch->proxy, &partition->proxy, &reason);   /* check_fetch() has seen that it can */
    if (login.length == 0)
        return true;
    return copy_text(login.data, user, &partition->proxy_user)
        && copy_text(colon ? colon + 1 : "", colon ? login.length - user - 1 : 0, &partition->proxy_password);
}

static bool set_up_memory(struct partition *partition, const struct ipc_fetch *fetch,
                          const struct ipc_buffer *key)
{
    partition->key_length = ipc_buffer_length(key);
    partition->key = ipc_secret_alloc(partition->key_length);
    if (!partition->key || !set_up_proxy(partition, fetch) || !copy_list(fetch->resolve, &partition->resolve)
        || !copy_list(fetch->connect_to, &partition->connect_to))
        return false;
    if (fetch->pinned_key.length > 0
        && !copy_text(fetch->pinned_key.data, fetch->pinned_key.length, &partition->pinned_key))
        return false;
    memcpy(partition->key, ipc_buffer_data(key), partition->key_length);
    return open_share(partition);
}

static struct partition *create_partition(struct partitions *partitions, const struct ipc_fetch *fetch,
                                          uint64_t hash, struct failure *ret_failure)
{
    enum ipc_error_code error = IPC_ERROR_OUT_OF_MEMORY;
    const char *reason = "no memory for a partition";
    struct partition *partition = calloc(1, sizeof *partition);
    if (partition) {
        partition->owner = partitions;
        partition->hash = hash;
        if (set_up_memory(partition, fetch, &partitions->key))
            reason = set_up_tls(partition, fetch, &error);
        if (!reason)
            return partition;
        close_partition(partition);
    }
    failure_set(ret_failure, error, PHASE_QUEUE, "%s", reason);
    return NULL;
}

void partitions_init(struct partitions *partitions, struct multi_hub *hub, const struct settings *settings,
                     const struct easy_calls *calls)
{
    *partitions = (struct partitions){ .hub = hub, .settings = settings, .calls = calls };
    ipc_buffer_init(&partitions->key, IPC_FRAME_BYTES + 4096);
    partitions->key.wipes = true;
}

/* ---- finding ---- */

struct partition *partitions_find(struct partitions *partitions, const struct ipc_fetch *fetch,
                                  struct failure *ret_failure)
{
    if (!write_key(&partitions->key, fetch)) {
        failure_set(ret_failure, IPC_ERROR_OUT_OF_MEMORY, PHASE_QUEUE, "no memory for a partition's key");
        return NULL;
    }
    uint64_t hash = hash_key(&partitions->key);
    struct partition **bucket = &partitions->buckets[hash % PARTITION_BUCKETS];
    for (struct partition *partition = *bucket; partition; partition = partition->next)
        if (same_key(partition, hash, &partitions->key))
            return partition;
    if (partitions->count >= partitions->settings->partitions && !partitions_close_one(partitions)) {
        failure_set(ret_failure, IPC_ERROR_OVERLOADED, PHASE_QUEUE,
                    "all %u partitions of this worker are in use", partitions->count);
        ret_failure->retryable = true;
        return NULL;
    }
    struct partition *partition = create_partition(partitions, fetch, hash, ret_failure);
    if (!partition)
        return NULL;
    partition->next = *bucket;
    *bucket = partition;
    partitions->count++;
    return partition;
}

static void remove_partition(struct partitions *partitions, struct partition **link)
{
    struct partition *partition = *link;
    *link = partition->next;
    partitions->count--;
    close_partition(partition);
    spread_threads(partitions);
}

bool partitions_close_one(struct partitions *partitions)
{
    struct partition **oldest = NULL;
    for (size_t i = 0; i < PARTITION_BUCKETS; i++)
        for (struct partition **link = &partitions->buckets[i]; *link; link = &(*link)->next)
            if ((*link)->transfers == 0 && (!oldest || (*link)->idle_since_ms < (*oldest)->idle_since_ms))
                oldest = link;
    if (!oldest)
        return false;
    remove_partition(partitions, oldest);
    return true;
}

/* libcurl looks for dead connections when it wants a new one; a multi at rest would keep them. */
static void drop_dead_connections(struct partition *partition)
{
    for (struct multi *multi = partition->multis; multi; multi = multi->next)
        if (multi->transfers == 0 && watches_count_dead(&multi->hub->watches, multi) > 0)
            multi_drop_connections(multi);
}

void partitions_sweep(struct partitions *partitions)
{
    uint64_t now_ms = uv_now(partitions->hub->watches.loop);
    bool dead = watches_count_dead(&partitions->hub->watches, NULL) > 0;
    for (size_t i = 0; i < PARTITION_BUCKETS; i++) {
        struct partition **link = &partitions->buckets[i];
        while (*link) {
            struct partition *partition = *link;
            if (dead)
                drop_dead_connections(partition);
            if (partition->transfers == 0
                && now_ms - partition->idle_since_ms >= partitions->settings->partition_idle_ms)
                remove_partition(partitions, link);
            else
                link = &partition->next;
        }
    }
}

/* ---- multis ---- */

static unsigned threads_each(const struct partitions *partitions)
{
    unsigned threads = partitions->settings->resolver_threads, multis = partitions->multi_count;
    return multis > 0 && threads > multis ? threads / multis : 1;
}

/* The number of resolver threads is the worker's; libcurl counts them by multi. */
static void spread_threads(struct partitions *partitions)
{
    unsigned each = threads_each(partitions);
    for (size_t i = 0; i < PARTITION_BUCKETS; i++)
        for (struct partition *partition = partitions->buckets[i]; partition; partition = partition->next)
            for (struct multi *multi = partition->multis; multi; multi = multi->next)
                multi_limit_threads(multi, each);
}

struct multi *partition_multi(struct partition *partition, bool quic)
{
    struct partitions *owner = partition->owner;
    unsigned most = owner->settings->connections_per_multi;
    struct multi **link = &partition->multis;
    for (; *link; link = &(*link)->next)
        if ((*link)->quic == quic && (*link)->transfers < most)
            return *link;
    *link = multi_create(owner->hub, most, 1);
    if (!*link)
        return NULL;
    (*link)->quic = quic;
    owner->multi_count++;
    spread_threads(owner);
    return *link;
}

/* ---- use ---- */

void partition_hold(struct partition *partition)
{
    partition->transfers++;
}

void partition_release(struct partition *partition)
{
    if (--partition->transfers == 0)
        partition->idle_since_ms = uv_now(partition->owner->hub->watches.loop);
}

struct easy *partition_take_easy(struct partition *partition)
{
    struct easy *easy = partition->easies;
    if (!easy) {
        easy = easy_create(partition);
    } else {
        partition->easies = easy->next;
        partition->easy_count--;
    }
    return easy;
}

void partition_give_easy(struct partition *partition, struct easy *easy)
{
    easy->transfer = NULL;
    if (partition->easy_count >= IDLE_EASIES || easy->spoiled || !easy_forget(easy)) {
        easy_destroy(easy);
        return;
    }
    easy->next = partition->easies;
    partition->easies = easy;
    partition->easy_count++;
}
