/* Between folder.c and its platform half: names that are in the folder, and in no other. */
#ifndef FETCHCTL_FOLDER_PLATFORM_H
#define FETCHCTL_FOLDER_PLATFORM_H

#include "folder.h"

int folder_disk_open(struct folder *folder, const char *path);   /* 0, or -1 with errno */
void folder_disk_close(struct folder *folder);

bool folder_disk_has(const struct folder *folder, const char *name);

/* Makes a file that was not there. Its descriptor, or -1 with errno (EEXIST). */
int folder_disk_make(const struct folder *folder, const char *name);
void folder_disk_remove(const struct folder *folder, const char *name);

/* Without replacing anything unless it may, in one step where the system can. 0, or -1 with errno (EEXIST). */
int folder_disk_rename(const struct folder *folder, const char *from, const char *to, bool may_replace);

#endif
