/* worker/hsts.c: Strict-Transport-Security as RFC 6797, 6.1 and 8.1 have it. */
#include "worker/hsts.h"

#include "unit.h"

#include <string.h>

#define NOW 1000u

static struct ipc_bytes bytes(const char *string)
{
    return (struct ipc_bytes){ (const uint8_t *)string, strlen(string) };
}

static void fields_are_read(void **state)
{
    (void)state;
    static const struct { const char *value; uint64_t expires_s; bool subdomains; } table[] = {
        { "max-age=10", NOW + 10, false }, { "max-age=10; includeSubDomains", NOW + 10, true },
        { " MAX-AGE = \"10\" ;INCLUDESUBDOMAINS; preload", NOW + 10, true }, { "max-age=0", 1, false },
        { ";;max-age=1;", NOW + 1, false }, { "max-age=99999999999999999999", NOW + 316224000, false },
        { "", 0, false }, { "includeSubDomains", 0, false }, { "max-age", 0, false },
        { "max-age=", 0, false },
        { "max-age=1x", 0, false }, { "max-age=-1", 0, false }, { "max-age=\"1", 0, false },
        { "max-age=1; max-age=2", 0, false }, { "max-age=1; includeSubDomains; includeSubDomains", 0, false },
        { "max-age=1; includeSubDomains=yes", 0, false },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct ipc_pair header = { bytes("Strict-Transport-SECURITY"), bytes(table[i].value) };
        struct ipc_hsts hsts = { .expires_s = 0 };
        bool read = hsts_read((struct ipc_pairs){ &header, 1 }, NOW, &hsts);
        if (read != (table[i].expires_s > 0) || hsts.expires_s != table[i].expires_s)
            fail_msg("%s: %llu", table[i].value, (unsigned long long)hsts.expires_s);
        assert_int_equal(hsts.subdomains, table[i].subdomains);
    }
}

static void of_several_only_the_first_counts(void **state)
{
    (void)state;
    struct ipc_pair headers[] = { { bytes("x"), bytes("max-age=1") },
                                  { bytes("strict-transport-security"), bytes("nonsense") },
                                  { bytes("strict-transport-security"), bytes("max-age=1") } };
    struct ipc_hsts hsts;
    assert_false(hsts_read((struct ipc_pairs){ headers, 3 }, NOW, &hsts));
    headers[1].value = bytes("max-age=7");
    assert_true(hsts_read((struct ipc_pairs){ headers, 3 }, NOW, &hsts));
    assert_int_equal(hsts.expires_s, NOW + 7);
}

UNIT_TESTS(TEST(fields_are_read), TEST(of_several_only_the_first_counts))
