/* fetchctl get, head, post, put, delete, request. */
#ifndef FETCHCTL_GET_H
#define FETCHCTL_GET_H

#include "options.h"

#include <fetchd/client.h>

/* The exit code. */
int get_run(struct fetchd_client *client, const struct options *options);

#endif
