/* How large a terminal is. */
#ifndef FETCHCTL_WINDOW_H
#define FETCHCTL_WINDOW_H

#include <stdbool.h>

/* Of the terminal behind a descriptor. False when it is none, or does not know. */
bool window_size(int fd, unsigned *ret_columns, unsigned *ret_rows);

#endif
