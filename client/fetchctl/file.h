/* Whole files in memory. */
#ifndef FETCHCTL_FILE_H
#define FETCHCTL_FILE_H

#include "client/text.h"

#include <time.h>

/* Appends what `path` holds, stdin for "-". 0, or -1 with errno set. */
int file_read(const char *path, struct text *out);

/* When it was last written. 0, or -1 with errno set. */
int file_time(const char *path, time_t *ret_time);

#endif
