/* Lines of a file or of stdin, read only when there is something to read. */
#ifndef FETCHCTL_LINES_H
#define FETCHCTL_LINES_H

#include "client/text.h"

#include <stdbool.h>

struct lines {
    int fd;
    struct text text;
    size_t at;                 /* the first byte that was not given out */
    bool ended;
};

/* "-" is stdin. 0, or -1 with errno set. */
int lines_open(struct lines *lines, const char *path);
void lines_close(struct lines *lines);

/* The next line that is not empty and no # comment, without the spaces around it; NULL when there is none
 * yet, or no more (`ended`). Lives until the next call. */
char *lines_next(struct lines *lines);

/* Reads once. To be called when the descriptor is readable. 0, or -1 with errno set. */
int lines_read(struct lines *lines);

#endif
