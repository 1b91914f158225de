/* A deny-list by libseccomp: a call that some C library makes tomorrow must not end every client's work. */
#include "confine.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* The leak check at the end stops all threads by a tracer that it makes itself. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static const char *const refused[] = {
#ifndef SANITIZED
    "ptrace",
#endif
    /* other processes' memory */
    "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd",
    /* large doors into the kernel */
    "io_uring_setup", "io_uring_enter", "io_uring_register", "bpf", "perf_event_open", "userfaultfd",
    "io_setup", "io_submit", "fanotify_init", "lookup_dcookie", "modify_ldt", "vm86", "vm86old", "memfd_secret",
    /* keys */
    "keyctl", "add_key", "request_key",
    /* the machine */
    "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff",
    "acct", "quotactl", "quotactl_fd", "syslog", "nfsservctl", "iopl", "ioperm", "settimeofday", "clock_settime",
    "clock_settime64", "clock_adjtime", "clock_adjtime64", "adjtimex", "stime", "sethostname", "setdomainname", "vhangup",
    /* mounts and namespaces */
    "mount", "umount", "umount2", "mount_setattr", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick",
    "pivot_root", "chroot", "unshare", "setns", "open_by_handle_at", "mknod", "mknodat",
};

struct rules { scmp_filter_ctx context; int result; };

static void refuse(struct rules *rules, int error, const char *name, unsigned count, const struct scmp_arg_cmp *arguments)
{
    int number = seccomp_syscall_resolve_name(name);
    if (rules->result == 0 && number != __NR_SCMP_ERROR)
        rules->result = seccomp_rule_add_array(rules->context, SCMP_ACT_ERRNO((uint32_t)error), number, count, arguments);
}

static void add_all(struct rules *rules)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        refuse(rules, EPERM, refused[i], 0, NULL);
    for (unsigned family = 0; family < AF_MAX; family++)
        if (family != AF_UNIX && family != AF_INET && family != AF_INET6 && family != AF_NETLINK)
            refuse(rules, EAFNOSUPPORT, "socket", 1, &SCMP_A0(SCMP_CMP_EQ, family));
    refuse(rules, EPERM, "clone", 1, &SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER));
}

int confine_daemon(char *ret_text, size_t size)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
        snprintf(ret_text, size, "prctl: %s", strerror(errno));
        return -1;
    }
    struct rules rules = { seccomp_init(SCMP_ACT_ALLOW), 0 };
    if (!rules.context) {
        snprintf(ret_text, size, "seccomp: no memory for the filter");
        return -1;
    }
    seccomp_attr_set(rules.context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    seccomp_attr_set(rules.context, SCMP_FLTATR_CTL_TSYNC, 1);
    add_all(&rules);
    if (rules.result == 0)
        rules.result = seccomp_load(rules.context);
    seccomp_release(rules.context);
    snprintf(ret_text, size, rules.result < 0 ? "seccomp: %s" : "no new privileges, seccomp",
             strerror(-rules.result));
    return rules.result < 0 ? -1 : 0;
}
