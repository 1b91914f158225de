/* An allow-list by libseccomp. What a library may try and do without gets an error; the rest ends us. */
#include "filter.h"

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>
#include <netinet/in.h>

/* Without arguments to look at. Names that this machine's architecture has not are passed over. */
static const char *const allowed[] = {
    /* what is open */
    "read", "readv", "pread64", "write", "writev", "close", "dup", "lseek", "_llseek", "fstat", "fstat64",
    "shutdown", "sendto", "send", "sendmsg", "sendmmsg", "recvfrom", "recv", "recvmsg", "recvmmsg",
    "recvmmsg_time64", "connect", "getsockname", "getpeername", "getsockopt", "setsockopt", "pipe", "pipe2",
    "eventfd", "eventfd2", "getdents", "getdents64",
    /* waiting */
    "poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64", "epoll_create",
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "timerfd_create",
    "timerfd_settime", "timerfd_settime64",
    /* names of files; Landlock says which can be read */
    "stat", "stat64", "lstat", "lstat64", "fstatat64", "newfstatat", "statx", "access", "faccessat", "faccessat2",
    "readlink", "readlinkat", "getcwd", "fstatfs", "fstatfs64",
    /* memory */
    "brk", "munmap", "mremap", "madvise",
    /* threads and signals of our own */
    "futex", "futex_time64", "set_robust_list", "rseq", "gettid", "sched_yield", "sched_getaffinity", "membarrier",
    "rt_sigprocmask", "rt_sigreturn", "sigreturn", "sigaltstack", "rt_sigpending", "restart_syscall", "exit", "exit_group",
    /* time, numbers, names */
    "clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64", "clock_nanosleep",
    "clock_nanosleep_time64", "nanosleep", "gettimeofday", "time", "getrandom", "getpid", "getppid", "getuid",
    "getuid32", "geteuid", "geteuid32", "getgid", "getgid32", "getegid", "getegid32", "getrlimit", "ugetrlimit",
    "getrusage", "uname", "sysinfo", "getcpu",
};

#ifdef SANDBOX_SANITIZED
/* The leak check at the end stops all threads by a tracer that it makes itself; reports look things up. */
static const char *const allowed_to_sanitizers[] = {
    "clone", "ptrace", "wait4", "waitid", "prctl", "kill", "tgkill", "tkill", "mmap", "mprotect", "rt_sigaction",
    "open", "openat", "ioctl", "fcntl", "fcntl64", "process_vm_readv", "prlimit64",
};
#endif

/* Tried by libraries that go another way when it is refused. */
static const struct { const char *name; int error; } refused[] = {
    { "clone3", ENOSYS },               /* its flags are behind a pointer; clone's are not */
    { "openat2", ENOSYS }, { "close_range", ENOSYS }, { "statfs", ENOSYS }, { "statfs64", ENOSYS },
    { "bind", EACCES }, { "listen", EACCES }, { "setrlimit", EPERM }, { "tkill", EPERM },
    { "memfd_create", EPERM }, { "sched_setscheduler", EPERM }, { "setpriority", EPERM },
    { "rt_sigqueueinfo", EPERM }, { "rt_tgsigqueueinfo", EPERM }, { "pidfd_send_signal", EPERM }, { "pidfd_open", EPERM },
    { "unlink", EACCES }, { "unlinkat", EACCES }, { "mkdir", EACCES }, { "mkdirat", EACCES },
};

#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define NEW_SPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

#ifdef __s390x__
#define CLONE_FLAGS_AT 1
#else
#define CLONE_FLAGS_AT 0
#endif

struct rules { scmp_filter_ctx context; int result; };

static bool is_left_to_sanitizers(const char *name)
{
#ifdef SANDBOX_SANITIZED
    for (size_t i = 0; i < sizeof allowed_to_sanitizers / sizeof allowed_to_sanitizers[0]; i++)
        if (strcmp(name, allowed_to_sanitizers[i]) == 0)
            return true;
#endif
    (void)name;
    return false;
}

static void add(struct rules *rules, uint32_t action, const char *name, unsigned count,
                const struct scmp_arg_cmp *arguments)
{
    int number = seccomp_syscall_resolve_name(name);
    if (rules->result == 0 && number != __NR_SCMP_ERROR && !is_left_to_sanitizers(name))
        rules->result = seccomp_rule_add_array(rules->context, action, number, count, arguments);
}

static void allow(struct rules *rules, const char *name)
{
    add(rules, SCMP_ACT_ALLOW, name, 0, NULL);
}

static void allow_sanitizers(struct rules *rules)
{
#ifdef SANDBOX_SANITIZED
    for (size_t i = 0; i < sizeof allowed_to_sanitizers / sizeof allowed_to_sanitizers[0]; i++) {
        int number = seccomp_syscall_resolve_name(allowed_to_sanitizers[i]);
        if (rules->result == 0 && number != __NR_SCMP_ERROR)
            rules->result = seccomp_rule_add_array(rules->context, SCMP_ACT_ALLOW, number, 0, NULL);
    }
#endif
    (void)rules;
}

/* One argument equals one of several values. */
static void allow_values(struct rules *rules, const char *name, unsigned at, const uint64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(rules, SCMP_ACT_ALLOW, name, 1, &SCMP_CMP(at, SCMP_CMP_EQ, values[i]));
}

/* Allowed without any of these bits, refused with one. */
static void refuse_bits(struct rules *rules, const char *name, unsigned at, const uint64_t *bits, size_t count,
                        int error)
{
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++) {
        all |= bits[i];
        add(rules, SCMP_ACT_ERRNO((uint32_t)error), name, 1, &SCMP_CMP(at, SCMP_CMP_MASKED_EQ, bits[i], bits[i]));
    }
    add(rules, SCMP_ACT_ALLOW, name, 1, &SCMP_CMP(at, SCMP_CMP_MASKED_EQ, all, 0));
}

static void allow_one(struct rules *rules, const char *name, unsigned at, uint64_t value, int error)
{
    add(rules, SCMP_ACT_ALLOW, name, 1, &SCMP_CMP(at, SCMP_CMP_EQ, value));
    add(rules, SCMP_ACT_ERRNO((uint32_t)error), name, 1, &SCMP_CMP(at, SCMP_CMP_NE, value));
}

/* ---- sockets: TCP and UDP, and a Unix one where name look-ups need it ---- */

static void allow_socket(struct rules *rules, int family, int type, int protocol)
{
    struct scmp_arg_cmp arguments[] = {
        SCMP_CMP(0, SCMP_CMP_EQ, (uint64_t)family), SCMP_CMP(1, SCMP_CMP_MASKED_EQ, 0xf, (uint64_t)type),
        SCMP_CMP(2, SCMP_CMP_EQ, (uint64_t)protocol),
    };
    add(rules, SCMP_ACT_ALLOW, "socket", 3, arguments);
}

static void add_sockets(struct rules *rules, bool local_sockets)
{
    static const int families[] = { AF_INET, AF_INET6 };
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        allow_socket(rules, families[i], SOCK_STREAM, 0);
        allow_socket(rules, families[i], SOCK_STREAM, IPPROTO_TCP);
        allow_socket(rules, families[i], SOCK_DGRAM, 0);
        allow_socket(rules, families[i], SOCK_DGRAM, IPPROTO_UDP);
    }
    if (local_sockets) {
        allow_socket(rules, AF_UNIX, SOCK_STREAM, 0);
        allow_socket(rules, AF_UNIX, SOCK_DGRAM, 0);
    }
    /* getaddrinfo asks netlink for our addresses, and takes no answer for all kinds of them. */
    for (unsigned family = 0; family < AF_MAX; family++)
        if (family != AF_INET && family != AF_INET6 && !(local_sockets && family == AF_UNIX))
            add(rules, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", 1, &SCMP_A0(SCMP_CMP_EQ, family));
    struct scmp_arg_cmp pair[] = { SCMP_A0(SCMP_CMP_EQ, AF_UNIX), SCMP_A2(SCMP_CMP_EQ, 0) };
    add(rules, SCMP_ACT_ALLOW, "socketpair", 2, pair);
}

/* ---- what is allowed in part ---- */

static void add_files_and_memory(struct rules *rules)
{
    static const uint64_t changes[] = { O_WRONLY, O_RDWR, O_CREAT, O_TRUNC }, code[] = { PROT_EXEC };
    refuse_bits(rules, "open", 1, changes, 4, EACCES);
    refuse_bits(rules, "openat", 2, changes, 4, EACCES);
    refuse_bits(rules, "mmap", 2, code, 1, EACCES);
    refuse_bits(rules, "mmap2", 2, code, 1, EACCES);
    refuse_bits(rules, "mprotect", 2, code, 1, EACCES);
}

static void add_controls(struct rules *rules)
{
    static const uint64_t requests[] = { FIONBIO, FIONREAD, FIOCLEX, TIOCOUTQ, SIOCGIFINDEX, SIOCGIFNAME },
                          commands[] = { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL };
    allow_values(rules, "ioctl", 1, requests, sizeof requests / sizeof requests[0]);
    add(rules, SCMP_ACT_ERRNO(ENOTTY), "ioctl", 1, &SCMP_A1(SCMP_CMP_EQ, TCGETS));   /* stdio asks */
    allow_values(rules, "fcntl", 1, commands, sizeof commands / sizeof commands[0]);
    allow_values(rules, "fcntl64", 1, commands, sizeof commands / sizeof commands[0]);
    add(rules, SCMP_ACT_ALLOW, "prctl", 1, &SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
    add(rules, SCMP_ACT_ALLOW, "prctl", 1, &SCMP_A0(SCMP_CMP_EQ, PR_GET_NAME));
    add(rules, SCMP_ACT_ERRNO(EINVAL), "prctl", 1, &SCMP_A0(SCMP_CMP_EQ, 0x53564d41));   /* names of mappings */
    allow_one(rules, "prlimit64", 2, 0, EPERM);
}

static void add_threads_and_signals(struct rules *rules)
{
    add(rules, SCMP_ACT_ALLOW, "clone", 1,
        &SCMP_CMP(CLONE_FLAGS_AT, SCMP_CMP_MASKED_EQ, THREAD_FLAGS | NEW_SPACES, THREAD_FLAGS));
    allow_one(rules, "kill", 0, (uint64_t)getpid(), EPERM);
    allow_one(rules, "tgkill", 0, (uint64_t)getpid(), EPERM);
    /* Whoever could take SIGSYS over would be warned instead of ended. */
    add(rules, SCMP_ACT_ALLOW, "rt_sigaction", 1, &SCMP_A0(SCMP_CMP_NE, SIGSYS));
}

static void add_all(struct rules *rules, bool local_sockets)
{
    allow_sanitizers(rules);
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        allow(rules, allowed[i]);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        add(rules, SCMP_ACT_ERRNO((uint32_t)refused[i].error), refused[i].name, 0, NULL);
    add_sockets(rules, local_sockets);
    add_files_and_memory(rules);
    add_controls(rules);
    add_threads_and_signals(rules);
}

/* ---- a forbidden call ---- */

/* Runs wherever the call was made, so it writes and does nothing more. SA_RESETHAND has put the default
 * action back: the signal that is raised here ends the process as this returns. */
static void on_sigsys(int signal, siginfo_t *info, void *context)
{
    static const char before[] = "<3>sandbox: system call ", after[] = " is not allowed here; ending\n";
    char line[sizeof before + sizeof after + 16];
    unsigned number = (unsigned)info->si_syscall;
    (void)context;
    char digits[16];
    size_t count = 0, length = sizeof before - 1;
    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    memcpy(line, before, length);
    while (count > 0)
        line[length++] = digits[--count];
    memcpy(line + length, after, sizeof after - 1);
    if (write(STDERR_FILENO, line, length + sizeof after - 1) < 0)
        _exit(128 + signal);
    raise(signal);
}

static int catch_sigsys(void)
{
    struct sigaction action = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | (int)SA_RESETHAND };
    sigset_t set;
    sigemptyset(&action.sa_mask);
    sigemptyset(&set);
    sigaddset(&set, SIGSYS);
    return sigaction(SIGSYS, &action, NULL) < 0 || sigprocmask(SIG_UNBLOCK, &set, NULL) < 0 ? -errno : 0;
}

int filter_enter(bool local_sockets, char *ret_text, size_t size)
{
    struct rules rules = { seccomp_init(SCMP_ACT_TRAP), 0 };
    if (!rules.context) {
        snprintf(ret_text, size, "seccomp: no memory for the filter");
        return -1;
    }
    /* Binary search in place of a list: some hundred rules stand before the rarest call. */
    seccomp_attr_set(rules.context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    seccomp_attr_set(rules.context, SCMP_FLTATR_CTL_TSYNC, 1);
    add_all(&rules, local_sockets);
    if (rules.result == 0)
        rules.result = catch_sigsys();
    if (rules.result == 0)
        rules.result = seccomp_load(rules.context);
    seccomp_release(rules.context);
    snprintf(ret_text, size, rules.result < 0 ? "seccomp: %s" : "seccomp", strerror(-rules.result));
    return rules.result < 0 ? -1 : 0;
}
