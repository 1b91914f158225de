/* The features. */
#include "feature.h"

#include "output.h"

#include <stdio.h>
#include <string.h>

/* "output" comes last: not every system has it. */
struct ipc_texts features_all(void)
{
    static struct ipc_text features[1];
    features[0] = IPC_TEXT("output");
    return (struct ipc_texts){ features, output_is_supported() ? 1 : 0 };
}

static bool is_there(struct ipc_text wanted)
{
    struct ipc_texts all = features_all();
    for (size_t i = 0; i < all.count; i++)
        if (wanted.length == all.items[i].length && memcmp(wanted.data, all.items[i].data, wanted.length) == 0)
            return true;
    return false;
}

bool features_lack(const struct ipc_texts *wanted, char *ret_reason, size_t size)
{
    for (size_t i = 0; i < wanted->count; i++) {
        if (is_there(wanted->items[i]))
            continue;
        snprintf(ret_reason, size, "this daemon lacks the required feature \"%.*s\"", (int)wanted->items[i].length,
                 wanted->items[i].data);
        return true;
    }
    return false;
}
