#include <string.h>

/* Through a pointer that the compiler can't look through. */
static void *(*volatile set)(void *, int, size_t) = memset;

void explicit_bzero(void *place, size_t bytes)
{
    set(place, 0, bytes);
}
