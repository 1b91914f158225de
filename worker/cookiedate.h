/* The dates of cookies, read as leniently as RFC 6265bis (5.1.1) asks, and no more: libcurl's reader
 * takes zones, which this one must not. Pure. */
#ifndef WORKER_COOKIEDATE_H
#define WORKER_COOKIEDATE_H

#include "ipc/message.h"

#include <stdbool.h>

/* Unix time, 0 for what is before 1970. False when it is no date. */
bool cookiedate_read(struct ipc_bytes text, uint64_t *ret_time_s);

#endif
