/* The form of a proxy: [scheme://][user:password@]host[:port]. What it means is the worker's matter; here a
 * wrong one is told with its file and line. Pure. */
#ifndef CONF_PROXY_H
#define CONF_PROXY_H

#include <stddef.h>

/* NULL, or what is wrong with it; never a part of it, as it may hold a password. */
const char *conf_proxy_check(const char *proxy, size_t length);

#endif
