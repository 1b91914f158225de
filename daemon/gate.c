/* Whose handshake is next. */
#include "gate.h"

#include "request.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct gate_key {
    struct origin *origin;
    uint64_t principal;
};

struct gate {
    struct gate_key key;
    uint64_t under_way;
    struct request *waiting;
    UT_hash_handle handle;
};

static struct gate *find(struct gates *gates, const struct gate_key *key)
{
    struct gate *gate;
    HASH_FIND(handle, gates->by_key, key, sizeof *key, gate);
    if (gate)
        return gate;
    gate = reserve_alloc(sizeof *gate);
    memset(gate, 0, sizeof *gate);
    gate->key = *key;
    HASH_ADD(handle, gates->by_key, key, sizeof gate->key, gate);
    return gate;
}

static bool has_room(const struct gate *gate, uint64_t limit)
{
    return limit == 0 || gate->under_way < limit;
}

bool gate_pass(struct gates *gates, struct request *request, uint32_t principal, uint64_t limit)
{
    struct gate_key key = { .origin = request->origin, .principal = principal };
    struct gate *gate = find(gates, &key);
    request->gate = gate;
    request->at_gate = !has_room(gate, limit);
    if (request->at_gate)
        DL_APPEND(gate->waiting, request);
    else
        gate->under_way++;
    return !request->at_gate;
}

struct request *gate_leave(struct gates *gates, struct request *request, uint64_t limit)
{
    struct gate *gate = request->gate;
    if (!gate)
        return NULL;
    if (request->at_gate)
        DL_DELETE(gate->waiting, request);
    else
        gate->under_way--;
    request->at_gate = false;
    request->gate = NULL;

    struct request *next = has_room(gate, limit) ? gate->waiting : NULL;
    if (next) {
        DL_DELETE(gate->waiting, next);
        next->at_gate = false;
        gate->under_way++;
    } else if (gate->under_way == 0) {
        HASH_DELETE(handle, gates->by_key, gate);
        free(gate);
    }
    return next;
}
