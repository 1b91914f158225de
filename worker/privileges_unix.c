/* setgroups, setgid, setuid, and a check that there is no way back. */
#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what, char *ret_reason, size_t size)
{
    snprintf(ret_reason, size, "%s: %s", what, strerror(errno));
    return -1;
}

int privileges_drop(const struct sandbox_order *order, char *ret_reason, size_t size)
{
    if (!order->change_user)
        return 0;
    if (setgroups(0, NULL) < 0)
        return fail("can't leave its groups", ret_reason, size);
    if (setgid(order->group) < 0)
        return fail("can't change its group", ret_reason, size);
    if (setuid(order->user) < 0)
        return fail("can't change its user", ret_reason, size);
    if (order->user != 0 && (setuid(0) == 0 || geteuid() != order->user || getegid() != order->group)) {
        snprintf(ret_reason, size, "can become root again");
        return -1;
    }
    return 0;
}
