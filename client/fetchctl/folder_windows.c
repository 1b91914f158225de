/* A folder by its path. */
#include "folder_platform.h"

#include "disk.h"
#include "memory.h"

#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <windows.h>

int folder_disk_open(struct folder *folder, const char *path)
{
    folder->path = must_copy(path);
    return 0;
}

void folder_disk_close(struct folder *folder)
{
    free(folder->path);
}

static char *inside(const struct folder *folder, const char *name)
{
    return must_print("%s\\%s", folder->path, name);
}

bool folder_disk_has(const struct folder *folder, const char *name)
{
    char *path = inside(folder, name);
    bool has = GetFileAttributesA(path) != INVALID_FILE_ATTRIBUTES;
    free(path);
    return has;
}

int folder_disk_make(const struct folder *folder, const char *name)
{
    char *path = inside(folder, name);
    int fd = _open(path, _O_WRONLY | _O_CREAT | _O_EXCL | _O_NOINHERIT | _O_BINARY, _S_IREAD | _S_IWRITE);
    free(path);
    return fd;
}

void folder_disk_remove(const struct folder *folder, const char *name)
{
    char *path = inside(folder, name);
    DeleteFileA(path);
    free(path);
}

int folder_disk_rename(const struct folder *folder, const char *from, const char *to, bool may_replace)
{
    char *old_path = inside(folder, from), *new_path = inside(folder, to);
    int result = may_replace ? disk_replace(old_path, new_path) : disk_rename(old_path, new_path);
    free(old_path);
    free(new_path);
    return result;
}
