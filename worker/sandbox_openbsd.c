/* pledge(2): sockets and name look-ups. "dns" opens resolv.conf and hosts by itself; "proc" stays out, and
 * threads need none. */
#include "privileges.h"
#include "sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int sandbox_enter(const struct sandbox_order *order, char *ret_text, size_t size)
{
    if (privileges_drop(order, ret_text, size) < 0)
        return -1;
    if (pledge("stdio inet dns", NULL) < 0) {
        snprintf(ret_text, size, "pledge: %s", strerror(errno));
        return -1;
    }
    snprintf(ret_text, size, "user %u, pledge stdio inet dns", (unsigned)geteuid());
    return 0;
}
