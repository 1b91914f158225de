/* A fetch and the alternatives of its origin (altsvc.h): what its answer announces, and what becomes of one
 * that it was sent to. */
#ifndef WORKER_ALTERNATIVE_H
#define WORKER_ALTERNATIVE_H

#include <curl/curl.h>
#include <stdbool.h>

struct ipc_origin;
struct transfer;

/* Sets transfer->way. `origin` is that of its URL; its partition is known. */
void alternative_choose(struct transfer *transfer, const struct ipc_origin *origin);

/* The head of a final answer is there. False when it is not to be taken for the answer: the alternative says
 * that it is none (421), and asking the origin itself can harm nothing. */
bool alternative_learn(struct transfer *transfer);

/* libcurl failed. True when it was the alternative, before the request left, or the above: then the origin
 * itself is to be asked, and is from now on. */
bool alternative_give_up(struct transfer *transfer);

#endif
