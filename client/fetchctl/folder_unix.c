/* A folder that is held, so that nobody can put another in its place. */
#include "folder_platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int folder_disk_open(struct folder *folder, const char *path)
{
    folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder->fd < 0 ? -1 : 0;
}

void folder_disk_close(struct folder *folder)
{
    if (folder->fd >= 0)
        close(folder->fd);
}

bool folder_disk_has(const struct folder *folder, const char *name)
{
    struct stat status;
    return fstatat(folder->fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

int folder_disk_make(const struct folder *folder, const char *name)
{
    return openat(folder->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
}

void folder_disk_remove(const struct folder *folder, const char *name)
{
    unlinkat(folder->fd, name, 0);
}

int folder_disk_rename(const struct folder *folder, const char *from, const char *to, bool may_replace)
{
    if (!may_replace && linkat(folder->fd, from, folder->fd, to, 0) == 0)
        return unlinkat(folder->fd, from, 0);
    if (!may_replace && errno != EPERM && errno != ENOTSUP && errno != ENOSYS && errno != EMLINK)
        return -1;
    if (!may_replace && folder_disk_has(folder, to)) {   /* a file system without links */
        errno = EEXIST;
        return -1;
    }
    return renameat(folder->fd, from, folder->fd, to);
}
