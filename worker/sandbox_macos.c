/* sandbox_init(3), deprecated and without a successor for programs outside the App Store: its named profile
 * forbids writes to files. */
#include "privileges.h"
#include "sandbox.h"

#include <stdio.h>
#include <unistd.h>

/* From the system's header of the same name as ours. */
extern const char kSBXProfileNoWrite[];
int sandbox_init(const char *profile, uint64_t flags, char **ret_error);
void sandbox_free_error(char *error);
#define SANDBOX_NAMED 0x0001

int sandbox_enter(const struct sandbox_order *order, char *ret_text, size_t size)
{
    char *error = NULL;
    if (privileges_drop(order, ret_text, size) < 0)
        return -1;
    if (sandbox_init(kSBXProfileNoWrite, SANDBOX_NAMED, &error) < 0) {
        snprintf(ret_text, size, "sandbox_init: %s", error ? error : "?");
        sandbox_free_error(error);
        return -1;
    }
    snprintf(ret_text, size, "user %u, no writes", (unsigned)geteuid());
    return 0;
}
