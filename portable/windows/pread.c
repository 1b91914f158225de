#include <errno.h>
#include <io.h>
#include <unistd.h>

ssize_t pread(int fd, void *buffer, size_t size, off_t offset)
{
    const unsigned most = 1u << 30;
    __int64 before = _lseeki64(fd, 0, SEEK_CUR);
    if (before < 0 || _lseeki64(fd, offset, SEEK_SET) < 0)
        return -1;
    int got = _read(fd, buffer, size < most ? (unsigned)size : most), error = errno;
    _lseeki64(fd, before, SEEK_SET);
    errno = error;
    return got;
}
