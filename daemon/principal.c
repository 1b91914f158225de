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
    principal->next = principals->first;
    principals->first = principal;
    return principal;
}

struct queue_flow *principal_flow(struct principal *principal, unsigned group)
{
    struct principal_flow *flow = principal->flows;
    while (flow && flow->group != group)
        flow = flow->next;
    if (!flow && (flow = calloc(1, sizeof *flow))) {
        flow->group = group;
        flow->next = principal->flows;
        queue_flow_init(&flow->flow, NULL);
        principal->flows = flow;
    }
    return flow ? &flow->flow : NULL;
}

static void finish_flows(struct principal *principal)
{
    while (principal->flows) {
        struct principal_flow *next = principal->flows->next;
        free(principal->flows);
        principal->flows = next;
    }
}

void principals_finish(struct principals *principals)
{
    while (principals->first) {
        struct principal *next = principals->first->next;
        finish_flows(principals->first);
        jars_finish(&principals->first->jars);
        free(principals->first);
        principals->first = next;
    }
}
