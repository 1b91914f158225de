/* Completions for shells, made from the tables of commands and options. */
#ifndef FETCHCTL_COMPLETION_H
#define FETCHCTL_COMPLETION_H

#include "command.h"

/* `shell`: bash or zsh. The exit code. */
int completion_print(const struct command *commands, const char *shell);

#endif
