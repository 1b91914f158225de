/* fetchctl ws: a WebSocket from a shell. Lines of stdin go out as messages, messages come out as lines. */
#ifndef FETCHCTL_WS_H
#define FETCHCTL_WS_H

#include "options.h"

#include <fetchd/client.h>

int ws_run(struct fetchd_client *client, const struct options *options);

#endif
