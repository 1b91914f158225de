/* What may share connections, TLS sessions and DNS answers, and nothing else does: one principal, proxy
 * with its credentials and trust, client certificate, trust, TLS versions, overrides of addresses, and
 * whether HTTP/1 was asked for.
 * A partition is a growing set of curl multis, each with a bounded number of transfers: libcurl looks
 * through all connections to a host for each new one, which many thousand in one multi would make
 * quadratic. */
#ifndef WORKER_PARTITION_H
#define WORKER_PARTITION_H

#include "altsvc.h"
#include "easy.h"
#include "failure.h"
#include "ipc/buffer.h"
#include "multi.h"
#include "proxy.h"
#include "scout.h"
#include "settings.h"

struct partition {
    struct partition *next;              /* in its bucket */
    struct partitions *owner;
    uint64_t hash;
    uint8_t *key;
    size_t key_length;
    struct multi *multis;
    struct scouts scouts;
    struct altsvc altsvc;                /* what its origins announced */
    CURLSH *share;                       /* DNS answers and TLS sessions, of all its multis */
    struct easy *easies;                 /* idle */
    unsigned easy_count;
    unsigned transfers;
    uint64_t idle_since_ms;
    char *proxy_url;                     /* "" for none */
    char *proxy_user, *proxy_password;   /* NULL: none but those of the URL */
    long proxy_auth;                     /* of CURLAUTH_ */
    struct proxy proxy;
    struct curl_slist *resolve, *connect_to;
    struct tls_trust *own_trust, *trust; /* `trust` is the one that counts */
    struct tls_trust *own_proxy_trust, *proxy_trust;
    struct tls_identity *identity;
    char *pinned_key;                    /* NULL for none */
    long tls_version;                    /* CURL_SSLVERSION_, least and most */
    bool insecure, proxy_insecure;
};

#define PARTITION_BUCKETS 256

struct partitions {
    struct multi_hub *hub;
    const struct settings *settings;
    const struct easy_calls *calls;
    struct partition *buckets[PARTITION_BUCKETS];
    unsigned count, multi_count;
    struct ipc_buffer key;               /* of the request being placed */
};

void partitions_init(struct partitions *partitions, struct multi_hub *hub, const struct settings *settings,
                     const struct easy_calls *calls);

/* The partition of this fetch, made when it is new. NULL with ret_failure set. */
struct partition *partitions_find(struct partitions *partitions, const struct ipc_fetch *fetch,
                                  struct failure *ret_failure);

/* Closes those that have been unused for long, and connections that their peers have closed. */
void partitions_sweep(struct partitions *partitions);

/* Closes the one that has been unused for longest. False when all are in use. */
bool partitions_close_one(struct partitions *partitions);

/* A multi with room for one transfer more. NULL without memory. Those that may use HTTP/3 have multis of
 * their own: libcurl would give them a kept connection of HTTP/2 instead. */
struct multi *partition_multi(struct partition *partition, bool quic);

/* It is not closed between these two. */
void partition_hold(struct partition *partition);
void partition_release(struct partition *partition);

/* NULL without memory. */
struct easy *partition_take_easy(struct partition *partition);
void partition_give_easy(struct partition *partition, struct easy *easy);

#endif
