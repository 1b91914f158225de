#include <string.h>

void *memrchr(const void *data, int byte, size_t length)
{
    const unsigned char *bytes = data;
    while (length-- > 0)
        if (bytes[length] == (unsigned char)byte)
            return (void *)(size_t)(bytes + length);
    return NULL;
}
