/* Whole files in memory. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, struct text *out)
{
    char buffer[65536];
    for (;;) {
        ssize_t got = read(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return (int)got;
        text_add(out, buffer, (size_t)got);
        if (out->failed) {
            errno = ENOMEM;
            return -1;
        }
    }
}

int file_read(const char *path, struct text *out)
{
    if (strcmp(path, "-") == 0)
        return read_all(STDIN_FILENO, out);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = read_all(fd, out), error = errno;
    close(fd);
    errno = error;
    return result;
}

int file_time(const char *path, time_t *ret_time)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return -1;
    *ret_time = status.st_mtime;
    return 0;
}
