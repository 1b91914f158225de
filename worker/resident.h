/* Memory that this process has in use. */
#ifndef WORKER_RESIDENT_H
#define WORKER_RESIDENT_H

#include <stddef.h>

/* Before the sandbox closes. */
void resident_prepare(void);

/* 0 where nobody tells. */
size_t resident_bytes(void);

#endif
