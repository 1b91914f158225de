/* error.c: the table of error names. */
#include "ipc/error.h"

#include "unit.h"

#include <string.h>

static bool is_dotted_name(const char *name)
{
    size_t words = 0;
    for (const char *at = name; *at; at++) {
        bool word = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '_';
        bool dot = *at == '.' && at > name && at[1] && at[1] != '.';
        if (!word && !dot)
            return false;
        words += dot;
    }
    return *name && words <= 1;
}

static void every_error_has_a_dotted_name_a_text_and_an_exit_code(void **state)
{
    (void)state;
    for (int code = IPC_ERROR_NONE + 1; code < IPC_ERROR_COUNT; code++) {
        enum ipc_error_code error = (enum ipc_error_code)code;
        const char *text = ipc_error_text(error);
        assert_true(is_dotted_name(ipc_error_name(error)));
        assert_in_range(strlen(ipc_error_name(error)), 3, 64);   /* failure.name's limit */
        assert_in_range(strlen(text), 10, 120);
        assert_int_not_equal(text[strlen(text) - 1], '.');
        assert_in_range(ipc_error_exit_code(error), 1, 125);     /* above: the shell's own */
    }
}

static void every_name_is_found_and_is_the_only_one(void **state)
{
    (void)state;
    for (int code = IPC_ERROR_NONE + 1; code < IPC_ERROR_COUNT; code++) {
        const char *name = ipc_error_name((enum ipc_error_code)code);
        assert_int_equal(ipc_error_find(name, strlen(name)), code);
    }
}

static void an_unknown_name_is_internal(void **state)
{
    (void)state;
    static const char *const names[] = { "", "dns", "dns.faile", "dns.failed2", "DNS.FAILED", "no.such" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(ipc_error_find(names[i], strlen(names[i])), IPC_ERROR_INTERNAL);
    assert_int_equal(ipc_error_find("dns.failed and more", 10), IPC_ERROR_DNS_FAILED);
}

/* The names and exit codes that DESIGN promises; they never change. */
static void the_promised_names_have_the_promised_exit_codes(void **state)
{
    (void)state;
    static const struct { const char *name; int exit_code; } promised[] = {
        { "dns.failed", 6 }, { "connect.refused", 7 }, { "connect.timeout", 28 }, { "tls.certificate", 60 },
        { "tls.peer_reset", 35 }, { "proxy.auth", 56 }, { "timeout.total", 28 }, { "timeout.idle", 28 },
        { "http2.stream", 92 }, { "body.truncated", 18 }, { "body.too_large", 63 }, { "policy.denied", 112 },
        { "quota.exceeded", 111 }, { "overloaded", 111 }, { "worker.lost", 113 }, { "daemon.lost", 110 },
        { "cancelled", 42 }, { "request.invalid", 3 }, { "protocol.violation", 2 },
    };
    for (size_t i = 0; i < sizeof promised / sizeof promised[0]; i++) {
        enum ipc_error_code code = ipc_error_find(promised[i].name, strlen(promised[i].name));
        assert_string_equal(ipc_error_name(code), promised[i].name);
        assert_int_equal(ipc_error_exit_code(code), promised[i].exit_code);
    }
}

UNIT_TESTS(TEST(every_error_has_a_dotted_name_a_text_and_an_exit_code),
           TEST(every_name_is_found_and_is_the_only_one),
           TEST(an_unknown_name_is_internal), TEST(the_promised_names_have_the_promised_exit_codes))
