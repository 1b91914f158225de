/* fetchctl status, metrics, reload, drain: the daemon itself. */
#ifndef FETCHCTL_STATUS_H
#define FETCHCTL_STATUS_H

#include "options.h"

#include <fetchd/client.h>

/* Each returns the exit code. */
int status_run(struct fetchd_client *client, const struct options *options);
int status_run_metrics(struct fetchd_client *client, const struct options *options);
int status_run_reload(struct fetchd_client *client, const struct options *options);
int status_run_drain(struct fetchd_client *client, const struct options *options);

#endif
