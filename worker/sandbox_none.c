/* For systems on which nothing more is known to work. */
#include "privileges.h"
#include "sandbox.h"

#include <stdio.h>

int sandbox_enter(const struct sandbox_order *order, char *ret_text, size_t size)
{
    if (privileges_drop(order, ret_text, size) < 0)
        return -1;
    snprintf(ret_text, size, "none on this system");
    return 0;
}
