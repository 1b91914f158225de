/* Users to numbers. A host has few users that fetch: a list does. */
#include "principal.h"

#include <stdlib.h>

uint32_t principals_number(struct principals *principals, uint64_t user)
{
    for (uint32_t i = 0; i < principals->count; i++)
        if (principals->users[i] == user)
            return i + 1;
    if (principals->count == principals->capacity) {
        uint32_t capacity = principals->capacity ? principals->capacity * 2 : 8;
        uint64_t *users = realloc(principals->users, capacity * sizeof *users);
        if (!users)
            return 0;
        principals->users = users;
        principals->capacity = capacity;
    }
    principals->users[principals->count++] = user;
    return principals->count;
}

void principals_finish(struct principals *principals)
{
    free(principals->users);
    *principals = (struct principals){ 0 };
}
