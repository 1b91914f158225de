/* Redirects: the worker says where one leads, the daemon says who goes on. */
#ifndef WORKER_HOP_H
#define WORKER_HOP_H

#include <stdbool.h>

struct ipc_go;
struct transfer;

/* libcurl is done with an answer that is a redirect to follow: HOP, and then GO is awaited. */
void hop_say(struct transfer *transfer);

/* GO: the fetch becomes what the redirect makes of it. False when it ended with an error instead. */
bool hop_follow(struct transfer *transfer, const struct ipc_go *go);

#endif
