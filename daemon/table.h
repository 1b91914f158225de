/* uthash, whose own way without memory is exit(): here its tables grow by the reserve. */
#ifndef DAEMON_TABLE_H
#define DAEMON_TABLE_H

#include "reserve.h"

#define uthash_malloc(bytes) reserve_alloc(bytes)
#include <uthash.h>

#endif
