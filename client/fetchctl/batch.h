/* fetchctl batch: many URLs at once, one JSON line each as they end. */
#ifndef FETCHCTL_BATCH_H
#define FETCHCTL_BATCH_H

#include "options.h"

#include <fetchd/client.h>

/* The exit code: 0 when every request succeeded. */
int batch_run(struct fetchd_client *client, const struct options *options);

#endif
