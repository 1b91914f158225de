/* The header lines of a request, as libcurl wants them. */
#ifndef WORKER_LINES_H
#define WORKER_LINES_H

#include "ipc/message.h"

#include <stdbool.h>

struct curl_slist;

/* One block, freed with ipc_secret_free(), not with curl_slist_free_all(). libcurl borrows it. NULL in
 * *ret_lines when there are no lines. 0, or -1 without memory. The headers must have passed
 * check_fetch(). */
int lines_create(const struct ipc_fetch *fetch, struct curl_slist **ret_lines);

/* True when the request may ask for 100 Continue before its body leaves: the client said so, or leaves it
 * to libcurl, which asks over HTTP/1.1 for a body of unknown length or above 1 MiB. */
bool lines_expect(const struct ipc_fetch *fetch);

/* The origin refused that (417): the next lines of this fetch don't ask. */
void lines_forget_expect(struct ipc_fetch *fetch);

#endif
