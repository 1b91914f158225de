/* Giving up the rights of root for those of another user. */
#ifndef WORKER_PRIVILEGES_H
#define WORKER_PRIVILEGES_H

#include "sandbox.h"

/* 0, or -1 with a sentence. Nothing to do is a success. */
int privileges_drop(const struct sandbox_order *order, char *ret_reason, size_t size);

#endif
