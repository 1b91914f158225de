/* Memory that is there: without it the program says so and ends with curl's exit code 27. */
#ifndef FETCHCTL_MEMORY_H
#define FETCHCTL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

void must_have(bool there);                               /* what another one asked for */
void *must_allocate(size_t count, size_t size);          /* zeroed */
void *must_resize(void *memory, size_t count, size_t size);
char *must_copy(const char *string);
char *must_copy_bytes(const char *data, size_t length);  /* with a NUL behind */
char *__attribute__((format(gnu_printf, 1, 2))) must_print(const char *format, ...);

#endif
