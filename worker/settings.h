/* The worker's copy of what SETTINGS said: numbers, the egress rules and the trust store. */
#ifndef WORKER_SETTINGS_H
#define WORKER_SETTINGS_H

#include "destination.h"
#include "ipc/message.h"
#include "tls.h"

struct settings {
    unsigned number;                 /* which worker we are */
    uint64_t connect_timeout_ms, tls_timeout_ms, headers_timeout_ms, idle_timeout_ms;   /* 0: none */
    uint64_t total_timeout_ms;
    uint64_t max_body_bytes;         /* 0: no limit */
    size_t max_header_bytes;
    unsigned connections;            /* 0: as many as the limit of open files allows */
    unsigned connections_per_multi, partitions, resolver_threads;
    uint64_t partition_idle_ms, dns_lifetime_ms;
    char doh_url[2049];              /* "": the system's resolver */
    char tls_min[4];                 /* "1.2" */
    char user_agent[257];
    struct destination_policy *egress;
    struct tls_trust *trust;         /* NULL: none was given, no origin is trusted */
};

/* 0, or -1 with a sentence in ret_reason; `ret_settings` is not to be used then. */
int settings_take(const struct ipc_settings *message, struct settings *ret_settings, char *ret_reason,
                  size_t size);
void settings_finish(struct settings *settings);

#endif
