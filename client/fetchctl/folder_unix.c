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
#ifdef RENAME_NOREPLACE
    if (!may_replace && renameat2(folder->fd, from, folder->fd, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (!may_replace && errno != EINVAL && errno != ENOSYS)
        return -1;
#endif
    if (!may_replace && folder_disk_has(folder, to)) {
        errno = EEXIST;
        return -1;
    }
    return renameat(folder->fd, from, folder->fd, to);
}
