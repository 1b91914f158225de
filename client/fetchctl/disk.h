/* What differs from system to system about files. */
#ifndef FETCHCTL_DISK_H
#define FETCHCTL_DISK_H

#include <stdbool.h>

#ifdef _WIN32
#define DISK_SLASHES "/\\"
#else
#define DISK_SLASHES "/"
#endif

/* Makes a folder; one that is there is as good. 0, or -1 with errno. */
int disk_make_folder(const char *path);

/* Gives the file its new name, also in the place of another. 0, or -1 with errno. */
int disk_replace(const char *from, const char *to);

/* Windows: the same, unless there is another already (EEXIST). */
int disk_rename(const char *from, const char *to);

/* Changes what can't be in a file's name here, or would be a device or lie elsewhere. */
void disk_clean_name(char *name);

/* True when nothing of that has to be changed. */
bool disk_takes_name(const char *name);

/* True when files of this process may grow to some size only. */
bool disk_limits_size(void);

/* Allows as many open files as the system does. */
void disk_raise_descriptors(void);

#endif
