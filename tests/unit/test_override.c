/* override.c: where connect_to leads. */
#include "worker/override.h"

#include "unit.h"

#include <string.h>

static void the_first_entry_that_fits_and_changes_something_holds(void **state)
{
    (void)state;
    static const struct { const char *entry, *host; unsigned port; } rows[] = {
        { "a.example:443:b.example:8443", "b.example", 8443 }, { "A.Example:443:b:", "b", 443 },
        { "a.example:443::8443", "a.example", 8443 }, { "::b.example:", "b.example", 443 },
        { "a.example::[::1]:80", "::1", 80 }, { "a.example:80:b:1", "a.example", 443 },
        { "other:443:b:1", "a.example", 443 }, { "a.example:443::", "a.example", 443 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char host[256] = "a.example";
        unsigned port = 443;
        struct ipc_text entries[] = { ipc_text("z:1:y:2"), ipc_text(rows[i].entry) };
        assert_true(override_is_connect_to(entries[1]));
        override_connect_to((struct ipc_texts){ entries, 2 }, host, sizeof host, &port);
        assert_string_equal(host, rows[i].host);
        assert_int_equal(port, rows[i].port);
    }
}

static void an_entry_has_four_parts(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "a", "a:1", "a:1:b", "a:1:b:2:", "a:1:b:2x", "a:x:b:2", "a:65536:b:2", "a:1:[b:2", "a:1:[::1]2",
        "[::1:1:b:2",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (override_is_connect_to(ipc_text(wrong[i])))
            fail_msg("\"%s\" is taken", wrong[i]);
    assert_false(override_is_connect_to((struct ipc_text){ "a:1:b:\0", 7 }));
}

UNIT_TESTS(
    TEST(the_first_entry_that_fits_and_changes_something_holds),
    TEST(an_entry_has_four_parts))
