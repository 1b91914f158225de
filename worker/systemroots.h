/* The certificates that the system itself trusts, where it keeps them in a store of its own and not in a file. */
#ifndef WORKER_SYSTEMROOTS_H
#define WORKER_SYSTEMROOTS_H

#include <stddef.h>
#include <stdint.h>

/* Hands `take` each root that may stand for a server, in DER; the bytes live until it returns. */
void systemroots_each(void (*take)(void *context, const uint8_t *der, size_t length), void *context);

#endif
