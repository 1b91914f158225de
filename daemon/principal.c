/* Users to principals. A host has few users that fetch: a list does. */
#include "principal.h"

#include <stdlib.h>

struct principal *principals_find(struct principals *principals, uint64_t user)
{
    for (struct principal *principal = principals->first; principal; principal = principal->next)
        if (principal->user == user)
            return principal;
    struct principal *principal = calloc(1, sizeof *principal);
    if (!principal)
        return NULL;
    principal->user = principal->jars.user = user;
    principal->number = ++principals->count;
    queue_flow_init(&principal->flow, NULL);
    principal->next = principals->first;
    principals->first = principal;
    return principal;
}

void principals_finish(struct principals *principals)
{
    while (principals->first) {
        struct principal *next = principals->first->next;
        jars_finish(&principals->first->jars);
        free(principals->first);
        principals->first = next;
    }
}
