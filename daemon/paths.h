/* Where things lie on this system when nobody says. Each fills ret_path, or returns false: there is none. */
#ifndef DAEMON_PATHS_H
#define DAEMON_PATHS_H

#include <stdbool.h>
#include <stddef.h>

#define PATHS_BYTES 4096

/* Where a worker program may be, from index 0 on: the first that is there is ours. */
bool paths_worker(unsigned index, char ret_path[PATHS_BYTES]);

/* The settings, when --config names none. */
bool paths_conf(char ret_path[PATHS_BYTES]);

/* The folder for what outlives a restart, when [daemon] state_dir names none. */
bool paths_state(char ret_path[PATHS_BYTES]);

#endif
