/* A command of fetchctl; the table of them is fetchctl.c's. */
#ifndef FETCHCTL_COMMAND_H
#define FETCHCTL_COMMAND_H

#include "options.h"

#include <fetchd/client.h>

struct command {
    const char *name;          /* NULL ends the table */
    unsigned command;
    const char *words, *help;
    int (*run)(struct fetchd_client *client, const struct options *options);
};

#endif
