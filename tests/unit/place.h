/* The state folder as test_store.c looks into it, by each system's means. */
#ifndef UNIT_PLACE_H
#define UNIT_PLACE_H

#include <stdbool.h>

/* Nobody but this user, and who may do anything anyway, has rights there. */
bool place_is_private(const char *path);

/* Puts what is no file, but is named like one, into the folder. */
void place_make_strange(const char *folder);

/* A folder where a file is to be written. */
void place_block(const char *path);
void place_unblock(const char *path);

/* Lets everyone write. */
void place_open_up(const char *folder);

/* Whether the store then refuses the folder; else it closes it again by itself. */
extern const bool place_is_refused;

#endif
