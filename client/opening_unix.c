/* A path is what open(2) takes. */
#include "opening.h"

#include <fcntl.h>

int opening_read(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC);
}
