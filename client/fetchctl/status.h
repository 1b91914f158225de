/* fetchctl status: what the daemon and its workers are doing. */
#ifndef FETCHCTL_STATUS_H
#define FETCHCTL_STATUS_H

#include "options.h"

#include <fetchd/client.h>

/* The exit code. */
int status_run(struct fetchd_client *client, const struct options *options);

#endif
