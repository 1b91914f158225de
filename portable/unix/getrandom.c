#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#define MOST_AT_ONCE 256   /* of getentropy(3) */

#ifdef __APPLE__
int getentropy(void *place, size_t bytes);   /* in the <sys/random.h> that ours hides */
#endif

ssize_t getrandom(void *place, size_t bytes, unsigned flags)
{
    unsigned char *at = place;
    if (flags != 0) {
        errno = EINVAL;
        return -1;
    }
    for (size_t done = 0; done < bytes; done += MOST_AT_ONCE) {
        size_t part = bytes - done < MOST_AT_ONCE ? bytes - done : MOST_AT_ONCE;
        if (getentropy(at + done, part) < 0)
            return -1;
    }
    return (ssize_t)bytes;
}
