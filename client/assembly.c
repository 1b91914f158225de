/* Messages from pieces. */
#include "assembly.h"

#define KEPT_BYTES ((size_t)2 * 1024 * 1024)   /* memory for messages above it goes back at once */

void assembly_init(struct assembly *assembly, uint64_t limit_bytes)
{
    *assembly = (struct assembly){ .limit_bytes = limit_bytes };
}

void assembly_finish(struct assembly *assembly)
{
    text_finish(&assembly->bytes);
}

bool assembly_is_partial(const struct assembly *assembly)
{
    return assembly->kind != 0 && !assembly->whole;
}

void assembly_drop(struct assembly *assembly)
{
    assembly->kind = 0;
    assembly->whole = false;
    if (assembly->bytes.capacity > KEPT_BYTES || assembly->bytes.failed)
        text_finish(&assembly->bytes);
    else
        text_reset(&assembly->bytes);
}

enum assembly_result assembly_add(struct assembly *assembly, unsigned kind, const void *data, size_t size,
                                  bool more)
{
    if (!assembly_is_partial(assembly)) {
        assembly_drop(assembly);
        assembly->kind = kind;
    }
    if (size > assembly->limit_bytes - assembly->bytes.length) {
        assembly_drop(assembly);
        return ASSEMBLY_TOO_LARGE;
    }
    text_add(&assembly->bytes, data, size);
    if (assembly->bytes.failed) {
        assembly_drop(assembly);
        return ASSEMBLY_OUT_OF_MEMORY;
    }
    assembly->whole = !more;
    return more ? ASSEMBLY_PARTIAL : ASSEMBLY_WHOLE;
}
