/* The header lines of a request, as libcurl wants them. */
#ifndef WORKER_LINES_H
#define WORKER_LINES_H

#include "ipc/message.h"

struct curl_slist;

/* One block, freed with ipc_secret_free(), not with curl_slist_free_all(). libcurl borrows it. NULL in *ret_lines
 * when there are no lines. 0, or -1 without memory. The headers must have passed check_fetch(). */
int lines_create(const struct ipc_fetch *fetch, struct curl_slist **ret_lines);

#endif
