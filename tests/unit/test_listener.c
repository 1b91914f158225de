/* listener.c: the socket, its folder, its lock. */
#include "daemon/listener.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOMEBODY 65534   /* neither root nor the owner of anything here */
#define ANOTHER 65533

static uv_loop_t loop;
static struct listener listener;
static char folder[64], path[200], address[220], error[LISTENER_ERROR_BYTES];
static unsigned accepted;
static int accepted_fd;

static void on_accept(void *owner, int fd)
{
    assert_ptr_equal(owner, &accepted);
    accepted++;
    if (accepted_fd >= 0)
        close(accepted_fd);
    accepted_fd = fd;
}

static struct conf conf_with(const char *mode, const char *group)
{
    return (struct conf){ .socket_mode = (char *)(uintptr_t)mode, .socket_group = (char *)(uintptr_t)group };
}

static void use_path(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(address, sizeof address, "unix:%s", path);
}

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/fetchd-listener-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(uv_loop_init(&loop), 0);
    accepted_fd = -1;
    use_path("s");
}

static void end(void)
{
    char command[100];
    listener_close(&listener);
    uv_run(&loop, UV_RUN_DEFAULT);
    listener_finish(&listener);
    assert_int_equal(uv_loop_close(&loop), 0);
    if (accepted_fd >= 0)
        close(accepted_fd);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

static int open_with(const char *mode, const char *group)
{
    error[0] = '\0';
    struct conf conf = conf_with(mode, group);
    return listener_open(&listener, &loop, address, &conf, on_accept, &accepted, error);
}

static void assert_opens(void)
{
    if (open_with("0600", "") < 0)
        fail_msg("%s", error);
}

static void assert_refused(const char *word)
{
    assert_int_equal(open_with("0600", ""), -1);
    if (!strstr(error, word))
        fail_msg("\"%s\" does not say \"%s\"", error, word);
    assert_int_equal(listener.fd, -1);
    assert_int_equal(listener.lock_fd, -1);
}

static struct sockaddr_un name_of(const char *where)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    assert_in_range(strlen(where), 1, sizeof name.sun_path - 1);
    memcpy(name.sun_path, where, strlen(where));
    return name;
}

/* A connected client, or -1. */
static int connect_client(void)
{
    struct sockaddr_un name = name_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connect(fd, (struct sockaddr *)&name, sizeof name) == 0)
        return fd;
    close(fd);
    return -1;
}

/* A bound socket of ours at `path`. */
static int bind_socket(void)
{
    struct sockaddr_un name = name_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    return fd;
}

static bool exists(const char *where)
{
    struct stat status;
    return lstat(where, &status) == 0;
}

static unsigned mode_of(const char *where)
{
    struct stat status;
    assert_int_equal(lstat(where, &status), 0);
    return status.st_mode & 07777;
}

static void need_root(void)
{
    if (geteuid() != 0)
        unit_skip("needs root to make files of other users");
}

/* ---- it works ---- */

static void a_client_is_accepted(void **state)
{
    (void)state;
    begin();
    assert_opens();
    int client = connect_client();
    assert_true(client >= 0);
    while (!accepted)
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(fcntl(accepted_fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(accepted_fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(write(accepted_fd, "x", 1), 1);
    char got;
    assert_int_equal(read(client, &got, 1), 1);
    close(client);
    end();
}

static void many_clients_at_once_are_all_accepted(void **state)
{
    (void)state;
    int clients[200];
    begin();
    assert_opens();
    for (int i = 0; i < 200; i++)
        assert_true((clients[i] = connect_client()) >= 0);
    while (accepted < 200)
        uv_run(&loop, UV_RUN_ONCE);
    for (int i = 0; i < 200; i++)
        close(clients[i]);
    end();
}

static void the_socket_has_the_mode_that_was_asked_for(void **state)
{
    (void)state;
    static const char *const modes[] = { "0600", "0660", "600", "0777" };
    umask(0);
    for (int i = 0; i < 4; i++) {
        begin();
        assert_int_equal(open_with(modes[i], ""), 0);
        assert_int_equal(mode_of(path), strtoul(modes[i], NULL, 8));
        assert_int_equal(umask(0), 0);   /* given back */
        end();
    }
}

static void the_group_owns_the_socket(void **state)
{
    (void)state;
    struct stat status;
    const struct group *group = getgrnam("daemon");
    need_root();
    if (!group)
        unit_skip("there is no group called daemon");
    begin();
    assert_int_equal(open_with("0660", "daemon"), 0);
    assert_int_equal(lstat(path, &status), 0);
    assert_int_equal(status.st_gid, group->gr_gid);
    end();
}

static void a_missing_folder_is_made_private(void **state)
{
    (void)state;
    begin();
    umask(0);
    use_path("made/s");
    assert_opens();
    char made[100];
    snprintf(made, sizeof made, "%s/made", folder);
    assert_int_equal(mode_of(made), 0700);
    end();
}

static void close_removes_the_socket_and_tells_who_waits(void **state)
{
    (void)state;
    char byte;
    begin();
    assert_opens();
    int client = connect_client();   /* in the backlog, not accepted */
    listener_close(&listener);
    assert_false(exists(path));
    ssize_t got = read(client, &byte, 1);
    assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
    close(client);
    listener_close(&listener);
    end();
}

static void the_same_address_can_be_used_again(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 3; i++) {
        assert_opens();
        listener_close(&listener);
        uv_run(&loop, UV_RUN_DEFAULT);
        listener_finish(&listener);
    }
    end();
}

static void an_inherited_socket_is_listened_on_and_left_behind(void **state)
{
    (void)state;
    begin();
    int fd = bind_socket();
    assert_int_equal(listener_adopt(&listener, &loop, fd, on_accept, &accepted, error), 0);
    int client = connect_client();
    while (!accepted)
        uv_run(&loop, UV_RUN_ONCE);
    close(client);
    listener_close(&listener);
    assert_true(exists(path));
    end();
}

static void out_of_descriptors_clients_wait_and_are_accepted_later(void **state)
{
    (void)state;
    struct rlimit limit, few;
    begin();
    assert_opens();
    int client = connect_client();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few = limit;
    few.rlim_cur = (rlim_t)client + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(accepted, 0);
    assert_false(uv_is_active((uv_handle_t *)&listener.poll));   /* it does not spin */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (!accepted)
        uv_run(&loop, UV_RUN_ONCE);
    close(client);
    end();
}

/* ---- it refuses ---- */

static void a_folder_that_others_may_write_is_refused(void **state)
{
    (void)state;
    static const mode_t modes[] = { 0770, 0707, 0777, 01777, 0720, 0702 };
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        begin();
        assert_int_equal(chmod(folder, modes[i]), 0);
        assert_refused("writable by others");
        assert_false(exists(path));
        assert_int_equal(chmod(folder, 0755), 0);
        assert_opens();
        end();
    }
}

static void a_folder_of_another_user_is_refused(void **state)
{
    (void)state;
    need_root();
    begin();
    assert_int_equal(chown(folder, SOMEBODY, SOMEBODY), 0);
    assert_refused("belongs to another user");
    end();
}

static void a_folder_that_is_a_link_is_refused(void **state)
{
    (void)state;
    char link[200];
    begin();
    snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(symlink("/tmp", link), 0);
    use_path("link/s");
    assert_refused("is not a folder");
    end();
}

static void a_folder_whose_parent_is_missing_is_refused(void **state)
{
    (void)state;
    begin();
    use_path("a/b/s");
    assert_refused("can't make the socket's folder");
    end();
}

static void a_path_too_long_is_refused_with_what_to_do(void **state)
{
    (void)state;
    char name[120];
    begin();
    memset(name, 'x', sizeof name);
    name[107 - strlen(folder)] = '\0';
    use_path(name);
    assert_refused("too long (107 bytes at most): choose a shorter one");
    name[106 - strlen(folder)] = '\0';
    use_path(name);
    assert_opens();
    end();
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    begin();
    snprintf(address, sizeof address, "tcp:127.0.0.1:80");
    assert_refused("begins with unix:");
    snprintf(address, sizeof address, "unix:relative/s");
    assert_refused("must be absolute");
    end();
}

static void a_second_holder_of_the_lock_is_refused_and_the_first_goes_on(void **state)
{
    (void)state;
    struct listener second;
    begin();
    assert_opens();
    struct conf conf = conf_with("0600", "");
    assert_int_equal(listener_open(&second, &loop, address, &conf, on_accept, &accepted, error), -1);
    assert_non_null(strstr(error, "another fetchd is listening here"));
    int client = connect_client();
    while (!accepted)
        uv_run(&loop, UV_RUN_ONCE);
    close(client);
    end();
}

static void a_stale_socket_is_removed(void **state)
{
    (void)state;
    begin();
    close(bind_socket());
    assert_true(exists(path));
    assert_opens();
    int client = connect_client();
    assert_true(client >= 0);
    close(client);
    end();
}

/* Without the lock, but alive: some other program's. */
static void a_socket_that_somebody_listens_on_is_left_alone(void **state)
{
    (void)state;
    begin();
    int fd = bind_socket();
    assert_int_equal(listen(fd, 5), 0);
    assert_refused("somebody is listening here already");
    int client = connect_client();
    assert_true(client >= 0);
    close(client);
    close(fd);
    end();
}

static void what_is_not_a_socket_is_left_alone(void **state)
{
    (void)state;
    begin();
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused("is not a socket");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("/nonexistent", path), 0);
    assert_refused("is not a socket");
    assert_true(exists(path));
    end();
}

/* As a user who is not root, in a folder of one's own where a socket of another lies. */
static void a_socket_of_another_user_is_refused(void **state)
{
    (void)state;
    need_root();
    begin();
    close(bind_socket());
    assert_int_equal(chown(path, ANOTHER, ANOTHER), 0);
    assert_int_equal(chown(folder, SOMEBODY, SOMEBODY), 0);
    assert_int_equal(seteuid(SOMEBODY), 0);
    assert_refused("is a socket of another user");
    assert_int_equal(seteuid(0), 0);
    assert_true(exists(path));
    end();
}

static void a_lock_that_is_a_link_is_refused(void **state)
{
    (void)state;
    char lock[220], target[220];
    begin();
    snprintf(lock, sizeof lock, "%s.lock", path);
    snprintf(target, sizeof target, "%s/victim", folder);
    assert_int_equal(symlink(target, lock), 0);
    assert_refused("can't open the lock");
    assert_false(exists(target));
    end();
}

static void a_wrong_mode_or_group_leaves_no_socket_behind(void **state)
{
    (void)state;
    static const char *const modes[] = { "0999", "abc", "1777", "0-1" };
    begin();
    for (int i = 0; i < 4; i++) {
        assert_int_equal(open_with(modes[i], ""), -1);
        assert_non_null(strstr(error, "is not an octal mode"));
        assert_false(exists(path));
    }
    assert_int_equal(open_with("0660", "no-such-group-here"), -1);
    assert_non_null(strstr(error, "there is no such group"));
    assert_false(exists(path));
    end();
}

UV_TESTS(TEST(a_client_is_accepted), TEST(many_clients_at_once_are_all_accepted),
         TEST(the_socket_has_the_mode_that_was_asked_for), TEST(the_group_owns_the_socket),
         TEST(a_missing_folder_is_made_private), TEST(close_removes_the_socket_and_tells_who_waits),
         TEST(the_same_address_can_be_used_again), TEST(an_inherited_socket_is_listened_on_and_left_behind),
         TEST(out_of_descriptors_clients_wait_and_are_accepted_later),
         TEST(a_folder_that_others_may_write_is_refused), TEST(a_folder_of_another_user_is_refused),
         TEST(a_folder_that_is_a_link_is_refused), TEST(a_folder_whose_parent_is_missing_is_refused),
         TEST(a_path_too_long_is_refused_with_what_to_do), TEST(what_is_no_address_is_refused),
         TEST(a_second_holder_of_the_lock_is_refused_and_the_first_goes_on), TEST(a_stale_socket_is_removed),
         TEST(a_socket_that_somebody_listens_on_is_left_alone), TEST(what_is_not_a_socket_is_left_alone),
         TEST(a_socket_of_another_user_is_refused), TEST(a_lock_that_is_a_link_is_refused),
         TEST(a_wrong_mode_or_group_leaves_no_socket_behind))
