/* fetchctl session: the sessions that the daemon keeps for the user. */
#ifndef FETCHCTL_SESSION_H
#define FETCHCTL_SESSION_H

#include "options.h"

#include <fetchd/client.h>

/* The exit code. */
int session_run(struct fetchd_client *client, const struct options *options);

#endif
