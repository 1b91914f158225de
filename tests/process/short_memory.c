/* Preloaded into a program: its allocation number $SHORT_MEMORY_AT fails, all others work. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

static int is_the_one(void)
{
    static long wanted = -1, count;
    if (wanted < 0) {
        const char *text = getenv("SHORT_MEMORY_AT");
        wanted = text ? atol(text) : 0;
    }
    if (++count != wanted)
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return is_the_one() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return is_the_one() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return is_the_one() ? NULL : __libc_realloc(memory, size);
}
