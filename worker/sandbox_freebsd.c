/* procctl(2). Capability mode is not for us: it has no connect(2) to an address, and each connection would
 * need a helper outside. */
#include "privileges.h"
#include "sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/procctl.h>
#include <unistd.h>

int sandbox_enter(const struct sandbox_order *order, char *ret_text, size_t size)
{
    int trace = PROC_TRACE_CTL_DISABLE_EXEC, privileges = PROC_NO_NEW_PRIVS_ENABLE;
    if (privileges_drop(order, ret_text, size) < 0)
        return -1;
    if (procctl(P_PID, getpid(), PROC_NO_NEW_PRIVS_CTL, &privileges) < 0
        || (!order->core && procctl(P_PID, getpid(), PROC_TRACE_CTL, &trace) < 0)) {
        snprintf(ret_text, size, "procctl: %s", strerror(errno));
        return -1;
    }
    snprintf(ret_text, size, "user %u, no new privileges", (unsigned)geteuid());
    return 0;
}
