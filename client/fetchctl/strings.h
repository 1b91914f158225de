/* A list of strings of its own. */
#ifndef FETCHCTL_STRINGS_H
#define FETCHCTL_STRINGS_H

#include <stddef.h>

struct strings {
    char **items;
    size_t count;
};

/* Adds a copy; NULL stays NULL. */
void strings_add(struct strings *strings, const char *string);
void strings_finish(struct strings *strings);

#endif
