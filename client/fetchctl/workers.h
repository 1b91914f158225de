/* fetchctl workers: the table of workers, alone. */
#ifndef FETCHCTL_WORKERS_H
#define FETCHCTL_WORKERS_H

#include "options.h"

#include <fetchd/client.h>

int workers_run(struct fetchd_client *client, const struct options *options);

#endif
