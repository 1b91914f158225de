/* endpoint.c: where the daemon listens, on Windows. */
#include "ipc/endpoint.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define USERS "pipe:\\\\.\\pipe\\fetchd-S-1-"

static void the_variable_comes_first_and_alone(void **state)
{
    (void)state;
    char address[300];
    _putenv("FETCHD_ADDRESS=pipe:\\\\.\\pipe\\x");
    assert_int_equal(ipc_endpoint_default(address, sizeof address), 0);
    assert_string_equal(address, "pipe:\\\\.\\pipe\\x");
    assert_int_equal(ipc_endpoint_candidate(1, address, sizeof address), 0);
}

static void a_client_tries_the_users_pipe_and_then_the_systems(void **state)
{
    (void)state;
    char address[300];
    const char *reason;
    _putenv("FETCHD_ADDRESS=");
    assert_int_equal(ipc_endpoint_candidate(0, address, sizeof address), 1);
    assert_memory_equal(address, USERS, sizeof USERS - 1);
    assert_non_null(ipc_endpoint_path(address, &reason));
    assert_false(ipc_endpoint_is_system(address));
    assert_int_equal(ipc_endpoint_candidate(1, address, sizeof address), 1);
    assert_string_equal(address, IPC_ENDPOINT_SYSTEM);
    assert_true(ipc_endpoint_is_system(address));
    assert_int_equal(ipc_endpoint_candidate(2, address, sizeof address), 0);
}

static void an_address_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    char address[20];
    _putenv("FETCHD_ADDRESS=");
    assert_int_equal(ipc_endpoint_default(address, sizeof address), -1);
    _putenv("FETCHD_ADDRESS=pipe:\\\\.\\pipe\\longer");
    assert_int_equal(ipc_endpoint_default(address, sizeof address), -1);
}

static void assert_refused(const char *address, const char *word)
{
    const char *reason = NULL;
    assert_null(ipc_endpoint_path(address, &reason));
    if (!strstr(reason, word))
        fail_msg("%s: \"%s\" does not say \"%s\"", address, reason, word);
}

static void a_pipes_name_is_what_follows_the_scheme_and_is_of_this_host(void **state)
{
    (void)state;
    const char *reason = NULL, *address = "pipe:\\\\.\\pipe\\x";
    assert_ptr_equal(ipc_endpoint_path(address, &reason), address + 5);
    assert_refused("\\\\.\\pipe\\x", "begins with pipe:");
    assert_refused("unix:/run/x", "begins with pipe:");
    assert_refused("pipe:", "must begin with");
    assert_refused("pipe:\\\\.\\pipe\\", "must begin with");
    assert_refused("pipe:\\\\other\\pipe\\x", "must begin with");
    assert_refused("pipe:C:\\file", "must begin with");
    assert_refused("pipe:\\\\.\\pipe\\..\\C:\\file", "no other backslash");
}

static void a_name_fits_or_is_too_long(void **state)
{
    (void)state;
    char address[400] = "pipe:\\\\.\\pipe\\";
    const char *reason;
    size_t length = strlen(address);
    memset(address + length, 'x', 5 + IPC_ENDPOINT_PATH_BYTES - length);
    assert_non_null(ipc_endpoint_path(address, &reason));
    address[strlen(address)] = 'x';
    assert_refused(address, "too long");
}

UNIT_TESTS(TEST(the_variable_comes_first_and_alone), TEST(a_client_tries_the_users_pipe_and_then_the_systems),
           TEST(an_address_that_does_not_fit_is_refused),
           TEST(a_pipes_name_is_what_follows_the_scheme_and_is_of_this_host), TEST(a_name_fits_or_is_too_long))
