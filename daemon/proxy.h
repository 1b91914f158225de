/* Proxies that requests name, by host and port, for counting alone: credentials are cut off before
 * anything is kept. */
#ifndef DAEMON_PROXY_H
#define DAEMON_PROXY_H

#include "table.h"
#include "health.h"

#include "ipc/message.h"


#define PROXY_LABEL_BYTES 128
#define PROXIES_MOST 1024        /* more are counted as "other" */

struct proxy {
    char label[PROXY_LABEL_BYTES];
    UT_hash_handle handle;
    struct health health;
};

struct proxies { struct proxy *by_label; };

/* "http://user:password@host:3128/" -> "host:3128". */
void proxy_write_label(struct ipc_text name, char ret_label[PROXY_LABEL_BYTES]);

/* The counters of the proxy that a FETCH names; NULL when it names none, or without memory. They
 * stay until proxies_finish. */
struct proxy *proxies_find(struct proxies *proxies, struct ipc_text name);
void proxies_finish(struct proxies *proxies);

#endif
