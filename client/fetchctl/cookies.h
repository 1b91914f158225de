/* -b, -c and -j, as curl has them: cookies of a file go into a session, and come out of it into a file.
 * Without --session that session is one of this run's own, which ends with it. */
#ifndef FETCHCTL_COOKIES_H
#define FETCHCTL_COOKIES_H

#include "options.h"

#include <fetchd/client.h>

/* Reads the files of -b. 0, or the exit code, the reason already said. */
int cookies_begin(struct fetchd_client *client, struct options *options);

/* Writes the file of -c. The exit code, `code` when all is well. */
int cookies_end(struct fetchd_client *client, const struct options *options, int code);

/* What the -b that are no files say, "a=1; b=2"; NULL for nothing. To be freed. */
char *cookies_header(const struct options *options);

/* Writes a text to a file, whole or not at all; "-" is stdout. 0, or -1, the reason already said. */
int cookies_write(const char *path, const char *text);

#endif
