#include <windows.h>

#include <bcrypt.h>
#include <errno.h>
#include <sys/random.h>

ssize_t getrandom(void *place, size_t bytes, unsigned flags)
{
    if (flags != 0 || bytes > 0x7fffffff) {
        errno = EINVAL;
        return -1;
    }
    if (BCryptGenRandom(NULL, place, (ULONG)bytes, BCRYPT_USE_SYSTEM_PREFERRED_RNG) < 0) {
        errno = EIO;
        return -1;
    }
    return (ssize_t)bytes;
}
