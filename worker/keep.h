/* A decoded message kept beyond its handler: one block of memory, all of it ours. Pure. */
#ifndef WORKER_KEEP_H
#define WORKER_KEEP_H

/* A deep copy of the struct of message `number`, which has no nested maps. Every text and bytes in
 * it is followed by a NUL, so that it can be given to C interfaces. Freed with ipc_secret_free(), as
 * it may hold credentials; NULL without memory. */
void *keep_message(unsigned number, const void *message);

#endif
