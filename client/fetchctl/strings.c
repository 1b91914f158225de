/* A list of strings. */
#include "strings.h"

#include "memory.h"

#include <stdlib.h>

void strings_add(struct strings *strings, const char *string)
{
    strings->items = must_resize(strings->items, strings->count + 1, sizeof(char *));
    strings->items[strings->count++] = string ? must_copy(string) : NULL;
}

void strings_finish(struct strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
    *strings = (struct strings){ 0 };
}
