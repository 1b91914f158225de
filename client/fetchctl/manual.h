/* The parts of fetchctl(1) that the tables know, as scdoc. */
#ifndef FETCHCTL_MANUAL_H
#define FETCHCTL_MANUAL_H

#include "command.h"

/* `part`: synopsis, commands, options or variables. The exit code. */
int manual_print(const struct command *commands, const char *part);

#endif
