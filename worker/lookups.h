/* What the C library's name look-ups need from the system, found before the sandbox closes. */
#ifndef WORKER_LOOKUPS_H
#define WORKER_LOOKUPS_H

#include <stdbool.h>
#include <stddef.h>

#define LOOKUPS_PATHS 16

struct lookups {
    char *paths[LOOKUPS_PATHS];   /* files and folders that are read again when they change */
    size_t count;
    bool local_sockets;           /* a name service is talked to over a Unix socket */
};

/* Loads the name services that nsswitch.conf asks for hosts: inside none can be loaded. With `whole_folders`
 * (the user's rights bound what can be read there) a file that is replaced by another stays readable. */
void lookups_prepare(struct lookups *ret_lookups, bool whole_folders);
void lookups_finish(struct lookups *lookups);

#endif
