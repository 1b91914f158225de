/* openat(2) and its kin; flock(2) on the folder itself. */
#include "folder.h"

#include "ipc/secret.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#define NEW ".new"
#define NAME_BYTES 256

/* ---- the folder ---- */

static int open_checked(const char *path, const char **ret_reason)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    *ret_reason = strerror(errno);
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) < 0 || status.st_uid != geteuid() || (status.st_mode & 022)) {
        close(fd);
        *ret_reason = "must belong to the daemon's user, and nobody else may write there";
        return -1;
    }
    return fd;
}

static void make_parent(const char *path)
{
    char copy[FOLDER_PATH_BYTES];
    snprintf(copy, sizeof copy, "%s", path);
    mkdir(dirname(copy), 0700);
}

int folder_open(struct folder *folder, const char *path, const char **ret_reason)
{
    make_parent(path);
    mkdir(path, 0700);
    int fd = open_checked(path, ret_reason);
    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        *ret_reason = "another fetchd uses it";
        return -1;
    }
    folder->fd = fd;
    folder->open = true;
    snprintf(folder->path, sizeof folder->path, "%s", path);
    return 0;
}

void folder_close(struct folder *folder)
{
    if (folder->open)
        close(folder->fd);
    folder->open = false;
}

/* ---- files ---- */

static int write_all(int file, const uint8_t *data, size_t length)
{
    while (length > 0) {
        ssize_t written = write(file, data, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        data += written;
        length -= (size_t)written;
    }
    return fsync(file);
}

int folder_replace(const struct folder *folder, const char *name, const struct ipc_buffer *content)
{
    char beside[NAME_BYTES];
    snprintf(beside, sizeof beside, "%s" NEW, name);
    unlinkat(folder->fd, beside, 0);
    int file = openat(folder->fd, beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        return uv_translate_sys_error(errno);
    int result = write_all(file, ipc_buffer_data(content), ipc_buffer_length(content)), error = errno;
    if (close(file) < 0 && result == 0) {
        result = -1;
        error = errno;
    }
    if (result == 0 && renameat(folder->fd, beside, folder->fd, name) < 0) {
        result = -1;
        error = errno;
    }
    if (result == 0)
        return fsync(folder->fd) < 0 ? uv_translate_sys_error(errno) : 0;
    unlinkat(folder->fd, beside, 0);
    return uv_translate_sys_error(error);
}

static uint8_t *read_all(int file, size_t size, size_t *ret_length)
{
    uint8_t *content = ipc_secret_alloc(size + 1);
    size_t length = 0;
    for (ssize_t got = 1; content && got > 0 && length < size; length += (size_t)got)
        if ((got = read(file, content + length, size - length)) < 0)
            got = 0;
    *ret_length = length;
    return content;
}

uint8_t *folder_read(const struct folder *folder, const char *name, size_t limit_bytes, size_t *ret_length,
                     uint64_t *ret_changed_s, const char **ret_problem)
{
    struct stat status;
    int file = openat(folder->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    uint8_t *content = NULL;
    *ret_problem = "it can't be read";
    if (file < 0)
        return NULL;
    if (fstat(file, &status) < 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid()) {
        *ret_problem = "it is not a file of the daemon's user";
    } else if ((uint64_t)status.st_size > limit_bytes) {
        *ret_problem = "it is too large";
    } else {
        content = read_all(file, (size_t)status.st_size, ret_length);
        *ret_changed_s = (uint64_t)status.st_mtime;
    }
    close(file);
    return content;
}

void folder_remove(const struct folder *folder, const char *name)
{
    unlinkat(folder->fd, name, 0);
}

bool folder_rename(const struct folder *folder, const char *name, const char *new_name)
{
    return renameat(folder->fd, name, folder->fd, new_name) == 0;
}

static bool is_half_written(const char *name)
{
    size_t length = strlen(name), end = sizeof NEW - 1;
    return length >= end && strcmp(name + length - end, NEW) == 0;
}

void folder_visit(const struct folder *folder, void (*visit)(void *context, const char *name), void *context)
{
    int copy = fcntl(folder->fd, F_DUPFD_CLOEXEC, 0);
    DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
    if (!list && copy >= 0)
        close(copy);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        if (is_half_written(entry->d_name))
            unlinkat(folder->fd, entry->d_name, 0);
        else
            visit(context, entry->d_name);
    }
    if (list)
        closedir(list);
}
