/* Loads, drops, forbids: in this order, for each step takes away what the one before needed. */
#include "sandbox.h"

#include "filter.h"
#include "landlock.h"
#include "lookups.h"
#include "privileges.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#define TEXT_BYTES 128

static int fail(const char *what, char *ret_text, size_t size)
{
    snprintf(ret_text, size, "%s: %s", what, strerror(errno));
    return -1;
}

static bool has_capabilities(struct __user_cap_header_struct *header)
{
    struct __user_cap_data_struct held[2];
    if (syscall(SYS_capget, header, held) < 0)
        return true;
    for (size_t i = 0; i < 2; i++)
        if (held[i].effective || held[i].permitted || held[i].inheritable)
            return true;
    return false;
}

/* Root's, where no other user was chosen; nothing that another user has. A service manager's own filter may
 * refuse the call to a process that has none. */
static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &header, none) == 0)
        return 0;
    int error = errno;
    if (!has_capabilities(&header))
        return 0;
    errno = error;
    return -1;
}

/* Not even another process of the same user may read our memory, and no core file is written of it. */
static int set_dumpable(bool core)
{
    return prctl(PR_SET_DUMPABLE, core ? 1 : 0, 0, 0, 0);
}

static int close_files(struct lookups *lookups)
{
#ifdef SANDBOX_SANITIZED
    static const char *const everything[] = { "/" };
    (void)lookups;
    return landlock_enter(everything, 1);
#else
    return landlock_enter((const char *const *)lookups->paths, lookups->count);
#endif
}

static void describe(int landlock, const char *filter, char *ret_text, size_t size)
{
    if (landlock > 0)
        snprintf(ret_text, size, "user %u, Landlock %d, %s", (unsigned)geteuid(), landlock, filter);
    else
        snprintf(ret_text, size, "user %u, no Landlock in this kernel, %s", (unsigned)geteuid(), filter);
}

int sandbox_enter(const struct sandbox_order *order, char *ret_text, size_t size)
{
    struct lookups lookups;
    char filter[TEXT_BYTES];
    if (privileges_drop(order, ret_text, size) < 0)
        return -1;
    if (drop_capabilities() < 0)
        return fail("can't drop capabilities", ret_text, size);
    if (set_dumpable(order->core) < 0)
        return fail("can't close its memory", ret_text, size);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fail("no_new_privs", ret_text, size);
    lookups_prepare(&lookups, geteuid() != 0);
    int landlock = close_files(&lookups);
    bool local_sockets = lookups.local_sockets;
    lookups_finish(&lookups);
    if (landlock < 0)
        return fail("Landlock", ret_text, size);
    if (filter_enter(local_sockets, filter, sizeof filter) < 0) {
        snprintf(ret_text, size, "%s", filter);
        return -1;
    }
    describe(landlock, filter, ret_text, size);
    return 0;
}
