/* Memory that may hold credentials: it is overwritten before it goes back. */
#ifndef IPC_SECRET_H
#define IPC_SECRET_H

#include <stddef.h>

/* Overwrites in a way that no compiler leaves out. */
void ipc_secret_wipe(void *place, size_t bytes);

/* As malloc; to be freed by ipc_secret_free(), which wipes it whole. NULL is allowed there. */
void *ipc_secret_alloc(size_t bytes);
void ipc_secret_free(void *place);

/* As realloc, of such a place: what it leaves behind is wiped. One that shrinks keeps its room. */
void *ipc_secret_realloc(void *place, size_t bytes);

#endif
