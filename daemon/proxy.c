/* Proxies, for counting. */
#include "proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whatever stands before the last @ is not kept. */
void proxy_write_label(struct ipc_text name, char ret_label[PROXY_LABEL_BYTES])
{
    const char *at = name.data, *end = name.data + name.length;
    for (const char *c = at; c + 2 < end; c++) {
        if (memcmp(c, "://", 3) == 0) {
            at = c + 3;
            break;
        }
    }
    for (const char *c = end; c > at; c--) {
        if (c[-1] == '@') {
            at = c;
            break;
        }
    }
    size_t length = 0;
    while (at + length < end && at[length] > ' ' && at[length] < 0x7f && !strchr("/?#\"\\", at[length]))
        length++;
    snprintf(ret_label, PROXY_LABEL_BYTES, "%.*s", (int)(length < 120 ? length : 120), at);
}

struct proxy *proxies_find(struct proxies *proxies, struct ipc_text name)
{
    char label[PROXY_LABEL_BYTES];
    struct proxy *proxy;
    if (name.length == 0)
        return NULL;
    proxy_write_label(name, label);
    HASH_FIND(handle, proxies->by_label, label, strlen(label), proxy);
    if (!proxy && HASH_CNT(handle, proxies->by_label) >= PROXIES_MOST) {
        snprintf(label, sizeof label, "other");
        HASH_FIND(handle, proxies->by_label, label, strlen(label), proxy);
    }
    if (proxy)
        return proxy;
    proxy = calloc(1, sizeof *proxy);
    if (!proxy)
        return NULL;
    memcpy(proxy->label, label, sizeof label);
    HASH_ADD_KEYPTR(handle, proxies->by_label, proxy->label, strlen(proxy->label), proxy);
    return proxy;
}

void proxies_finish(struct proxies *proxies)
{
    struct proxy *proxy, *next;
    HASH_ITER(handle, proxies->by_label, proxy, next) {
        HASH_DELETE(handle, proxies->by_label, proxy);
        free(proxy);
    }
}
