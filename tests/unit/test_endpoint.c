/* endpoint.c: where the daemon listens. */
#include "ipc/endpoint.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

static void set_environment(const char *address, const char *runtime)
{
    unsetenv("FETCHD_ADDRESS");
    unsetenv("XDG_RUNTIME_DIR");
    if (address)
        setenv("FETCHD_ADDRESS", address, 1);
    if (runtime)
        setenv("XDG_RUNTIME_DIR", runtime, 1);
}

static void the_variable_comes_first_then_the_users_socket_then_the_systems(void **state)
{
    (void)state;
    static const struct { const char *address, *runtime, *wanted; } rows[] = {
        { "unix:/tmp/x", "/run/user/1", "unix:/tmp/x" },
        { NULL, "/run/user/1", "unix:/run/user/1/fetchd/fetchd.sock" },
        { "", "/run/user/1", "unix:/run/user/1/fetchd/fetchd.sock" },
        { NULL, NULL, "unix:/run/fetchd/fetchd.sock" },
        { NULL, "", "unix:/run/fetchd/fetchd.sock" },
        { NULL, "relative/folder", "unix:/run/fetchd/fetchd.sock" },
        { "whatever it is", NULL, "whatever it is" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char address[200];
        set_environment(rows[i].address, rows[i].runtime);
        assert_int_equal(ipc_endpoint_default(address, sizeof address), 0);
        assert_string_equal(address, rows[i].wanted);
    }
}

static void a_client_tries_the_users_socket_and_then_the_systems(void **state)
{
    (void)state;
    char address[200];
    set_environment(NULL, "/run/user/1");
    assert_int_equal(ipc_endpoint_candidate(0, address, sizeof address), 1);
    assert_string_equal(address, "unix:/run/user/1/fetchd/fetchd.sock");
    assert_int_equal(ipc_endpoint_candidate(1, address, sizeof address), 1);
    assert_string_equal(address, IPC_ENDPOINT_SYSTEM);
    assert_int_equal(ipc_endpoint_candidate(2, address, sizeof address), 0);
}

static void a_named_address_is_the_only_candidate(void **state)
{
    (void)state;
    char address[200];
    set_environment("unix:/x", "/run/user/1");
    assert_int_equal(ipc_endpoint_candidate(0, address, sizeof address), 1);
    assert_string_equal(address, "unix:/x");
    assert_int_equal(ipc_endpoint_candidate(1, address, sizeof address), 0);
}

static void without_a_user_folder_the_systems_socket_is_the_only_candidate(void **state)
{
    (void)state;
    char address[200];
    set_environment(NULL, NULL);
    assert_int_equal(ipc_endpoint_candidate(0, address, sizeof address), 1);
    assert_string_equal(address, IPC_ENDPOINT_SYSTEM);
    assert_int_equal(ipc_endpoint_candidate(1, address, sizeof address), 0);
}

static void an_address_that_does_not_fit_is_not_cut(void **state)
{
    (void)state;
    char address[10] = "untouched";
    set_environment("unix:/1234", NULL);
    assert_int_equal(ipc_endpoint_default(address, sizeof address), -1);
    assert_string_equal(address, "untouched");
    set_environment("unix:/123", NULL);
    assert_int_equal(ipc_endpoint_default(address, sizeof address), 0);
}

static void assert_refused(const char *address, const char *word)
{
    const char *reason = NULL;
    assert_null(ipc_endpoint_path(address, &reason));
    if (!strstr(reason, word))
        fail_msg("%s: \"%s\" does not say \"%s\"", address, reason, word);
}

static void a_path_is_what_follows_the_scheme(void **state)
{
    (void)state;
    const char *reason = NULL, *address = "unix:/run/x";
    assert_ptr_equal(ipc_endpoint_path(address, &reason), address + 5);
    assert_refused("/run/x", "begins with unix:");
    assert_refused("", "begins with unix:");
    assert_refused("tcp:127.0.0.1:80", "begins with unix:");
    assert_refused("UNIX:/run/x", "begins with unix:");
    assert_refused("unix:", "absolute");
    assert_refused("unix:/", "absolute");
    assert_refused("unix:run/x", "absolute");
}

static void a_path_fits_the_platforms_address_or_is_too_long(void **state)
{
    (void)state;
    char address[200] = "unix:/";
    const char *reason;
    memset(address + 6, 'x', IPC_ENDPOINT_PATH_BYTES - 1);
    assert_non_null(ipc_endpoint_path(address, &reason));
    address[strlen(address)] = 'x';
    assert_refused(address, "too long");
}

static void only_the_systems_address_is_the_systems(void **state)
{
    (void)state;
    assert_true(ipc_endpoint_is_system("unix:/run/fetchd/fetchd.sock"));
    assert_false(ipc_endpoint_is_system("unix:/run/user/1/fetchd/fetchd.sock"));
}

UNIT_TESTS(TEST(the_variable_comes_first_then_the_users_socket_then_the_systems),
           TEST(a_client_tries_the_users_socket_and_then_the_systems),
           TEST(a_named_address_is_the_only_candidate),
           TEST(without_a_user_folder_the_systems_socket_is_the_only_candidate),
           TEST(an_address_that_does_not_fit_is_not_cut), TEST(a_path_is_what_follows_the_scheme),
           TEST(a_path_fits_the_platforms_address_or_is_too_long),
           TEST(only_the_systems_address_is_the_systems))
