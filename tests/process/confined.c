/* What a worker's sandbox forbids, and what it leaves. Linked with the worker's own files.
 *
 * Each operation runs twice in a process of its own, of the same user: in the sandbox, where it must fail
 * or end the process, and without, where it must succeed (the negative control: else it proves nothing).
 * Those that only root may do run as root both times. Prints TAP. */
#include "worker/sandbox.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>

#define NOBODY 65534
#define DENIED 1
#define BROKEN 99   /* the sandbox itself failed */

/* What the operations are tried on; made before, by the parent. */
static pid_t victim;
static int victims_secret = 42;
static char folder[] = "/tmp/fetchd-confined-XXXXXX";
static struct sockaddr_in tcp_peer, udp_peer;

static const char *in_folder(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* 0 for a descriptor, and -1 as it is. */
static int opened(long fd)
{
    if (fd >= 0)
        close((int)fd);
    return fd < 0 ? -1 : 0;
}

/* ---- 0 when it could be done ---- */

static int run_a_program(void)
{
    static char *arguments[] = { (char *)"true", NULL }, *environment[] = { NULL };
    return execve("/bin/true", arguments, environment);
}

static int fork_a_process(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid < 0 ? -1 : 0;
}

static int trace_a_process(void) { return (int)ptrace(PTRACE_ATTACH, victim, NULL, NULL); }

static int read_its_memory(void)
{
    int secret = 0;
    struct iovec mine = { &secret, sizeof secret }, its = { &victims_secret, sizeof secret };
    return process_vm_readv(victim, &mine, 1, &its, 1, 0) == (ssize_t)sizeof secret && secret == 42 ? 0 : -1;
}

static int write_its_memory(void)
{
    int secret = 42;
    struct iovec mine = { &secret, sizeof secret }, its = { &victims_secret, sizeof secret };
    return process_vm_writev(victim, &mine, 1, &its, 1, 0) == (ssize_t)sizeof secret ? 0 : -1;
}

static int open_its_memory(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)victim);
    return opened(open(path, O_RDONLY));
}

static int signal_a_process(void) { return kill(victim, SIGCONT); }
static int signal_a_thread(void) { return (int)syscall(SYS_tgkill, victim, victim, SIGCONT); }

static int signal_by_pidfd(void)
{
    int fd = (int)syscall(SYS_pidfd_open, victim, 0);
    return fd < 0 ? -1 : (int)syscall(SYS_pidfd_send_signal, fd, SIGCONT, NULL, 0);
}

static int signal_by_socket_owner(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 ? -1 : fcntl(fd, F_SETOWN, victim);
}

static int use_io_uring(void)
{
    struct io_uring_params parameters;
    memset(&parameters, 0, sizeof parameters);
    return opened(syscall(SYS_io_uring_setup, 1, &parameters));
}

static int add_a_key(void)
{
    return syscall(SYS_add_key, "user", "fetchd-confined", "x", (size_t)1, -2) < 0 ? -1 : 0;   /* the process's ring */
}

static int load_bpf(void)
{
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.map_type = BPF_MAP_TYPE_ARRAY;
    attributes.key_size = attributes.value_size = 4;
    attributes.max_entries = 1;
    return opened(syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes));
}

static int watch_performance(void)
{
    struct perf_event_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.size = sizeof attributes;
    attributes.config = PERF_COUNT_SW_CPU_CLOCK;
    return opened(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

static int handle_page_faults(void) { return opened(syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */)); }
static int enter_a_user_namespace(void) { return unshare(CLONE_NEWUSER); }

static int mount_something(void)
{
    return mount("none", folder, "tmpfs", 0, NULL) < 0 ? -1 : umount2(folder, MNT_DETACH);
}

static int change_the_root(void) { return chroot(folder); }
static int make_a_memory_file(void) { return opened(memfd_create("x", 0)); }
static int change_the_personality(void) { return personality(ADDR_NO_RANDOMIZE) < 0 ? -1 : 0; }

static int share_memory(void)
{
    int id = shmget(IPC_PRIVATE, 4096, 0600);
    return id < 0 ? -1 : shmctl(id, IPC_RMID, NULL);
}

static int run_made_code(void)
{
    void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return code == MAP_FAILED ? -1 : 0;
}

static int make_code_runnable(void)
{
    void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return code == MAP_FAILED ? -1 : mprotect(code, 4096, PROT_READ | PROT_EXEC);
}

static int open_netlink(void) { return opened(socket(AF_NETLINK, SOCK_RAW, 0)); }
static int open_a_unix_socket(void) { return opened(socket(AF_UNIX, SOCK_STREAM, 0)); }
static int open_a_packet_socket(void) { return opened(socket(AF_PACKET, SOCK_RAW, 0)); }
static int open_a_raw_socket(void) { return opened(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)); }

static int serve(int type)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, type, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof any) < 0)
        return -1;
    return type == SOCK_STREAM ? listen(fd, 1) : 0;
}

static int serve_tcp(void) { return serve(SOCK_STREAM); }
static int serve_udp(void) { return serve(SOCK_DGRAM); }

static int listen_without_bind(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 ? -1 : listen(fd, 1);
}

static int create_a_file(void) { return opened(open(in_folder("new"), O_WRONLY | O_CREAT, 0600)); }
static int write_a_file(void) { return opened(open(in_folder("file"), O_WRONLY)); }
static int truncate_a_file(void) { return truncate(in_folder("file"), 0); }
static int remove_a_file(void) { return unlink(in_folder("gone")); }
static int make_a_folder(void) { return mkdir(in_folder("made"), 0700); }
static int make_a_link(void) { return symlink("/etc/passwd", in_folder("link")); }
static int change_a_mode(void) { return chmod(in_folder("own"), 0777); }
static int read_a_file(void) { return opened(open(in_folder("file"), O_RDONLY)); }
static int list_a_folder(void) { return opened(open("/", O_RDONLY | O_DIRECTORY)); }
static int read_the_shadow(void) { return opened(open("/etc/shadow", O_RDONLY)); }
static int become_dumpable(void) { return prctl(PR_SET_DUMPABLE, 0) == 0 ? prctl(PR_SET_DUMPABLE, 1) : -1; }

static int allow_core_files(void)
{
    struct rlimit none = { 0, RLIM_INFINITY };
    getrlimit(RLIMIT_CORE, &none);
    none.rlim_cur = none.rlim_max;
    return setrlimit(RLIMIT_CORE, &none);
}

static int catch_sigsys(void) { return signal(SIGSYS, SIG_IGN) == SIG_ERR ? -1 : 0; }

/* ---- what it must leave ---- */

static int connect_tcp(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP), one = 1;
    setsockopt(fd, IPPROTO_TCP, 1, &one, sizeof one);
    int result = connect(fd, (const struct sockaddr *)&tcp_peer, sizeof tcp_peer);
    return result == 0 || errno == EINPROGRESS ? 0 : -1;
}

static int send_udp(void)
{
    struct sockaddr_in6 any;
    socklen_t length = sizeof any;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&udp_peer, sizeof udp_peer) < 0 || send(fd, "x", 1, 0) != 1)
        return -1;
    return getsockname(fd, (struct sockaddr *)&any, &length);
}

static int look_up_localhost(void)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    int result = getaddrinfo("localhost", "80", &hints, &found);
    if (result == 0)
        freeaddrinfo(found);
    return result == 0 ? 0 : -1;
}

/* To the end of the look-up: over the network, if there is one, to a name that is none. */
static int look_up_nothing(void)
{
    struct addrinfo *found = NULL;
    int result = getaddrinfo("fetchd-confined.invalid", NULL, NULL, &found);
    return result == EAI_NONAME || result == EAI_AGAIN || result == EAI_FAIL ? 0 : -1;
}

static int handed_over;

static void *hand_over(void *data)
{
    (void)data;
    return &handed_over;
}

static int use_a_thread(void)
{
    pthread_t thread;
    void *result = NULL;
    if (pthread_create(&thread, NULL, hand_over, NULL) != 0)
        return -1;
    pthread_join(thread, &result);
    return result == &handed_over ? 0 : -1;
}

static int read_the_hosts(void) { return opened(open("/etc/hosts", O_RDONLY | O_CLOEXEC)); }

static int use_memory(void)
{
    char *memory = malloc((size_t)8 << 20);
    if (!memory)
        return -1;
    memset(memory, 1, (size_t)8 << 20);
    char *more = realloc(memory, (size_t)16 << 20);
    free(more ? more : memory);
    return more ? 0 : -1;
}

static int abort_itself(void) { abort(); }

/* ---- the list ---- */

static const struct operation {
    const char *name;
    int (*attempt)(void);
    bool as_root;        /* only root may do it at all */
    bool by_landlock;    /* nothing else forbids it */
} forbidden[] = {
    { "run a program", run_a_program, false, false },
    { "fork a process", fork_a_process, false, false },
    { "trace a process", trace_a_process, false, false },
    { "read another process's memory", read_its_memory, false, false },
    { "write another process's memory", write_its_memory, false, false },
    { "open another process's memory", open_its_memory, false, true },
    { "signal a process", signal_a_process, false, false },
    { "signal another process's thread", signal_a_thread, false, false },
    { "signal a process by pidfd", signal_by_pidfd, false, false },
    { "signal a process as a socket's owner", signal_by_socket_owner, false, false },
    { "use io_uring", use_io_uring, false, false },
    { "add a key to a keyring", add_a_key, false, false },
    { "load BPF", load_bpf, true, false },
    { "watch performance events", watch_performance, true, false },
    { "handle page faults", handle_page_faults, false, false },
    { "enter a user namespace", enter_a_user_namespace, false, false },
    { "mount a file system", mount_something, true, false },
    { "change the root", change_the_root, true, false },
    { "make a memory file", make_a_memory_file, false, false },
    { "change the personality", change_the_personality, false, false },
    { "make shared memory", share_memory, false, false },
    { "map memory that is both writable and executable", run_made_code, false, false },
    { "make written memory executable", make_code_runnable, false, false },
    { "open a netlink socket", open_netlink, false, false },
    { "open a Unix socket", open_a_unix_socket, false, false },
    { "open a packet socket", open_a_packet_socket, true, false },
    { "open a raw socket", open_a_raw_socket, true, false },
    { "serve on TCP", serve_tcp, false, false },
    { "serve on UDP", serve_udp, false, false },
    { "listen on a port of the system's choice", listen_without_bind, false, false },
    { "create a file", create_a_file, false, false },
    { "open a file for writing", write_a_file, false, false },
    { "truncate a file", truncate_a_file, false, false },
    { "remove a file", remove_a_file, false, false },
    { "make a folder", make_a_folder, false, false },
    { "make a link", make_a_link, false, false },
    { "change a file's mode", change_a_mode, false, false },
    { "read a file that everybody may read", read_a_file, false, true },
    { "list the root folder", list_a_folder, false, true },
    { "read /etc/shadow as root", read_the_shadow, true, true },
    { "become dumpable again", become_dumpable, false, false },
    { "allow itself core files", allow_core_files, false, false },
    { "take over SIGSYS", catch_sigsys, false, false },
};

static const struct operation left[] = {
    { "connect over TCP", connect_tcp, false, false },
    { "send over UDP", send_udp, false, false },
    { "look up localhost", look_up_localhost, false, false },
    { "look up a name that is none", look_up_nothing, false, false },
    { "read /etc/hosts", read_the_hosts, false, false },
    { "start and join a thread", use_a_thread, false, false },
    { "take, grow and give back memory", use_memory, false, false },
};

/* ---- running one ---- */

static bool is_root(void)
{
    return geteuid() == 0;
}

static bool has_landlock(void)
{
    return syscall(444, NULL, (size_t)0, 1u) > 0;
}

static void confine_or_not(bool confined, bool as_root)
{
    struct sandbox_order order = { is_root() && !as_root, NOBODY, NOBODY, false };
    char text[200];
    if (confined && sandbox_enter(&order, text, sizeof text) < 0) {
        dprintf(STDOUT_FILENO, "# %s\n", text);
        _exit(BROKEN);
    }
    if (!confined && order.change_user && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
        _exit(BROKEN);
    if (!confined)
        prctl(PR_SET_DUMPABLE, 1);
}

/* How the process ended: 0 when it could, as waitpid() has it. */
static int run(const struct operation *operation, bool confined, int errors)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(errors, STDERR_FILENO);
        confine_or_not(confined, operation->as_root);
        _exit(operation->attempt() == 0 ? 0 : DENIED);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return status;
}

static unsigned points, failures;

static void say(bool good, const char *name, const char *what, const char *skip)
{
    printf("%sok %u - %s: %s%s%s\n", good ? "" : "not ", ++points, name, what, skip ? " # SKIP " : "", skip ? skip : "");
    failures += !good;
}

static void prepare_files(void)
{
    static const char *const names[] = { "file", "gone", "own" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int fd = open(in_folder(names[i]), O_WRONLY | O_CREAT, 0666);
        if (fd < 0 || fchmod(fd, 0666) < 0 || (is_root() && fchown(fd, NOBODY, NOBODY) < 0))
            exit(BROKEN);
        close(fd);
    }
    unlink(in_folder("new"));
    unlink(in_folder("link"));
    rmdir(in_folder("made"));
}

static void forbid(const struct operation *operation, int nowhere)
{
    const char *skip = operation->as_root && !is_root() ? "not root"
                     : operation->by_landlock && !has_landlock() ? "no Landlock in this kernel" : NULL;
    int inside = 0, outside = 0;
    if (!skip) {
        prepare_files();
        inside = run(operation, true, nowhere);
        prepare_files();
        outside = run(operation, false, nowhere);
    }
    bool denied = skip || WIFSIGNALED(inside) || (WIFEXITED(inside) && WEXITSTATUS(inside) == DENIED);
    if (!denied)
        printf("# in the sandbox: status %#x\n", (unsigned)inside);
    say(denied, operation->name, "fails in the sandbox", skip);
    say(skip || outside == 0, operation->name, "succeeds without", skip);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

/* The supervisor relays what a worker writes: the line must be there before it ends. */
static void check_last_words(void)
{
    static const struct operation operation = { "", change_the_personality, false, false };
    int errors[2];
    char line[256] = "", expected[64];
    if (pipe(errors) < 0)
        exit(BROKEN);
    int status = run(&operation, true, errors[1]);
    close(errors[1]);
    ssize_t got = read(errors[0], line, sizeof line - 1);
    line[got > 0 ? got : 0] = '\0';
    close(errors[0]);
    snprintf(expected, sizeof expected, "system call %d ", (int)SYS_personality);
    printf("# %s", *line ? line : "nothing\n");
    say(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "a forbidden system call", "ends the process by SIGSYS", NULL);
    say(strstr(line, expected) != NULL, "a forbidden system call", "is named by its number", NULL);
}

static void check_abort(int nowhere)
{
    static const struct operation operation = { "", abort_itself, false, false };
    int status = run(&operation, true, nowhere);
    say(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "a failed assert", "ends the process by SIGABRT", NULL);
}

/* ---- what they are tried on ---- */

static void start_victim(void)
{
    victim = fork();
    if (victim != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (is_root() && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
        _exit(BROKEN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 1);
    for (;;)
        pause();
}

static int open_peer(int type, struct sockaddr_in *ret_name)
{
    socklen_t length = sizeof *ret_name;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    *ret_name = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (fd < 0 || bind(fd, (struct sockaddr *)ret_name, length) < 0
        || getsockname(fd, (struct sockaddr *)ret_name, &length) < 0 || (type == SOCK_STREAM && listen(fd, 8) < 0))
        exit(BROKEN);
    return fd;
}

static void remove_folder(void)
{
    static const char *const names[] = { "file", "gone", "own", "new", "link" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(in_folder(names[i]));
    rmdir(in_folder("made"));
    rmdir(folder);
}

int main(void)
{
#ifdef SANDBOX_SANITIZED
    puts("1..0 # SKIP a sanitized worker is allowed what its sanitizer needs");
    return 0;
#endif
    size_t count = sizeof forbidden / sizeof forbidden[0], left_count = sizeof left / sizeof left[0];
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0 || !mkdtemp(folder) || chmod(folder, 0777) < 0)
        return BROKEN;
    open_peer(SOCK_STREAM, &tcp_peer);
    open_peer(SOCK_DGRAM, &udp_peer);
    start_victim();
    for (size_t i = 0; i < count; i++)
        forbid(&forbidden[i], nowhere);
    for (size_t i = 0; i < left_count; i++)
        say(run(&left[i], true, STDERR_FILENO) == 0, left[i].name, "works in the sandbox", NULL);
    check_last_words();
    check_abort(nowhere);
    printf("1..%u\n", points);
    kill(victim, SIGKILL);
    waitpid(victim, NULL, 0);
    remove_folder();
    return failures > 0;
}
