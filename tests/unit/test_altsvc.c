/* altsvc.c: Alt-Svc's grammar (RFC 7838, 3), and how long what it said counts. */
#include "worker/altsvc.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static const struct altsvc_origin here = { 0, "https://a.example:443", { "A.example", 9 }, 443 };

static struct ipc_pair field(const char *name, const char *value)
{
    return (struct ipc_pair){ { (const uint8_t *)name, strlen(name) },
                              { (const uint8_t *)value, strlen(value) } };
}

static void learn_at(struct altsvc *table, const char *value, uint64_t now_s)
{
    struct ipc_pair pairs[] = { field("Server", "x"), field("Alt-Svc", value) };
    altsvc_learn(table, &here, (struct ipc_pairs){ pairs, 2 }, false, now_s);
}

static void learn(struct altsvc *table, const char *value)
{
    learn_at(table, value, 1000);
}

/* "host:port", or "-" for none. */
static const char *found_at(struct altsvc *table, uint64_t now_s)
{
    static char text[300];
    struct altsvc_place place;
    if (!altsvc_find(table, &here, now_s, &place))
        return "-";
    snprintf(text, sizeof text, "%s:%u%s", place.host, place.port, place.elsewhere ? "" : " itself");
    return text;
}

static const char *found(struct altsvc *table)
{
    return found_at(table, 1000);
}

static void a_place_is_read_as_it_is_written(void **state)
{
    (void)state;
    static const struct { const char *value, *place; } rows[] = {
        { "h3=\":443\"", "a.example:443 itself" },
        { "h3=\":443\"; ma=2592000", "a.example:443 itself" },
        { "h3=\":8443\"", "a.example:8443" },
        { "h3=\"alt.example:443\"", "alt.example:443" },
        { "h3=\"ALT.example:443\";persist=1 ; ma=\"60\"", "alt.example:443" },
        { "h3=\"[2001:db8::1]:443\"", "2001:db8::1:443" },
        { "h3=\"a\\.example:443\"", "a.example:443 itself" },
        { "h2=\":443\", h3=\":444\", h3=\":445\"", "a.example:444" },
        { "h3-29=\":443\"; ma=3600,h3=\":443\"", "a.example:443 itself" },
        { "h3=\":443\"; unknown=\"a,b;c\"; ma=5", "a.example:443 itself" },
        { "w=x%3D=\":443\"", "-" }, { "h2=\":443\"", "-" }, { "h3-29=\":443\"", "-" },
        { "h3=\":443\"; ma=0", "-" }, { "clear", "-" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct altsvc table = { NULL, 0 };
        learn(&table, rows[i].value);
        if (strcmp(found(&table), rows[i].place) != 0)
            fail_msg("%s leads to %s", rows[i].value, found(&table));
        altsvc_finish(&table);
    }
}

static void what_is_broken_changes_nothing(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "", " ", "h3", "h3=", "h3=:443", "h3=\"\"", "h3=\"443\"", "h3=\":0\"", "h3=\":65536\"",
        "h3=\":4430000\"",
        "h3=\":-1\"", "h3=\":44x\"", "h3=\":443", "h3=\":443\";", "h3=\":443\"; ma", "h3=\":443\"; ma=x",
        "h3=\":443\"; =5", "h3=\":443\" h3=\":444\"", "h3=\":443\",", "h3=\"a b:443\"", "h3=\"a/b:443\"",
        "h3=\"user@a:443\"", "h3=\"a:b:443\"", "h3=\"[a.example]:443\"", "h3=\"[]:443\"",
        "clear, h3=\":443\"",
        "h3=\":443\\", "=\":443\"",
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct altsvc table = { NULL, 0 };
        learn(&table, "h3=\":1\"");
        learn(&table, broken[i]);
        if (strcmp(found(&table), "a.example:1") != 0)
            fail_msg("%s leads to %s", broken[i], found(&table));
        altsvc_finish(&table);
    }
}

static void the_last_word_counts(void **state)
{
    (void)state;
    struct altsvc table = { NULL, 0 };
    struct ipc_pair two[] = { field("alt-svc", "h3=\":1\""), field("ALT-SVC", "h3=\":2\"") };
    learn(&table, "h3=\":9\", h3=\":8\"");
    altsvc_learn(&table, &here, (struct ipc_pairs){ two, 2 }, false, 1000);
    assert_string_equal(found(&table), "a.example:1");
    altsvc_learn(&table, &here, (struct ipc_pairs){ NULL, 0 }, false, 1000);
    assert_string_equal(found(&table), "a.example:1");
    learn(&table, "clear");
    assert_string_equal(found(&table), "-");
    assert_int_equal(table.count, 0);
    altsvc_finish(&table);
}

static void it_counts_until_it_is_too_old(void **state)
{
    (void)state;
    struct altsvc table = { NULL, 0 };
    struct ipc_pair aged[] = { field("age", "40"), field("alt-svc", "h3=\":1\"; ma=100") };
    learn(&table, "h3=\":1\"; ma=100, h3=\":2\"; ma=200");
    assert_string_equal(found_at(&table, 1099), "a.example:1");
    assert_string_equal(found_at(&table, 1100), "a.example:2");
    assert_string_equal(found_at(&table, 1200), "-");
    assert_int_equal(table.count, 0);
    learn(&table, "h3=\":1\"");
    assert_string_equal(found_at(&table, 1000 + 24 * 3600 - 1), "a.example:1");
    assert_string_equal(found_at(&table, 1000 + 24 * 3600), "-");
    altsvc_learn(&table, &here, (struct ipc_pairs){ aged, 2 }, false, 1000);
    assert_string_equal(found_at(&table, 1059), "a.example:1");
    assert_string_equal(found_at(&table, 1060), "-");
    altsvc_finish(&table);
}

static void a_place_that_failed_rests_longer_each_time_however_often_it_is_announced(void **state)
{
    (void)state;
    struct altsvc table = { NULL, 0 };
    struct altsvc_place place = { .host = "a.example", .port = 1 };
    learn(&table, "h3=\":1\"; ma=1000000");
    altsvc_failed(&table, &here, &place, 1000);
    assert_string_equal(found_at(&table, 1299), "-");
    learn_at(&table, "h3=\":1\"; ma=1000000", 1001);
    assert_string_equal(found_at(&table, 1299), "-");
    assert_string_equal(found_at(&table, 1300), "a.example:1");
    altsvc_failed(&table, &here, &place, 1300);
    assert_string_equal(found_at(&table, 1899), "-");
    assert_string_equal(found_at(&table, 1900), "a.example:1");
    altsvc_worked(&table, &here, &place);
    altsvc_failed(&table, &here, &place, 2000);
    assert_string_equal(found_at(&table, 2300), "a.example:1");
    altsvc_finish(&table);
}

static void the_next_place_is_taken_while_the_first_rests(void **state)
{
    (void)state;
    struct altsvc table = { NULL, 0 };
    struct altsvc_place place = { .host = "a.example", .port = 1 };
    learn(&table, "h3=\":1\", h3=\"b.example:2\"");
    altsvc_failed(&table, &here, &place, 1000);
    assert_string_equal(found(&table), "b.example:2");
    altsvc_finish(&table);
}

static void in_another_network_only_what_persists_stays(void **state)
{
    (void)state;
    struct altsvc table = { NULL, 0 };
    learn(&table, "h3=\":1\", h3=\":2\"; persist=1, h3=\":3\"; persist=2");
    altsvc_moved(&table);
    assert_string_equal(found(&table), "a.example:2");
    learn(&table, "h3=\":1\"");
    altsvc_moved(&table);
    assert_string_equal(found(&table), "-");
    assert_int_equal(table.count, 0);
    altsvc_finish(&table);
}

static void only_another_host_is_said_to_come_from_a_public_one(void **state)
{
    (void)state;
    struct altsvc table = { NULL, 0 };
    struct altsvc_place place;
    struct ipc_pair own = field("alt-svc", "h3=\":1\""), other = field("alt-svc", "h3=\"10.0.0.1:1\"");
    altsvc_learn(&table, &here, (struct ipc_pairs){ &own, 1 }, true, 1000);
    assert_true(altsvc_find(&table, &here, 1000, &place));
    assert_false(place.from_public);
    assert_false(place.other_host);
    altsvc_learn(&table, &here, (struct ipc_pairs){ &other, 1 }, true, 1000);
    assert_true(altsvc_find(&table, &here, 1000, &place));
    assert_true(place.from_public);
    assert_true(place.other_host);
    altsvc_finish(&table);
}

static void what_one_session_heard_others_are_not_told(void **state)
{
    (void)state;
    struct altsvc table = { NULL, 0 };
    struct altsvc_place place;
    struct altsvc_origin one = here, two = here;
    struct ipc_pair pair = field("alt-svc", "h3=\":1\""), clear = field("alt-svc", "clear");
    one.jar = 1;
    two.jar = 2;
    altsvc_learn(&table, &one, (struct ipc_pairs){ &pair, 1 }, false, 1000);
    assert_true(altsvc_find(&table, &one, 1000, &place));
    assert_false(altsvc_find(&table, &two, 1000, &place));
    assert_false(altsvc_find(&table, &here, 1000, &place));
    altsvc_learn(&table, &two, (struct ipc_pairs){ &clear, 1 }, false, 1000);
    altsvc_failed(&table, &two, &place, 1000);
    assert_true(altsvc_find(&table, &one, 1000, &place));
    altsvc_finish(&table);
}

static void the_table_is_bounded(void **state)
{
    (void)state;
    struct altsvc table = { NULL, 0 };
    struct altsvc_place place;
    char key[64], long_value[2000] = "h3=\":1\"; ma=99";
    struct altsvc_origin origin = { 0, key, IPC_TEXT("h.example"), 443 };
    for (unsigned i = 0; i < 3 * ALTSVC_ORIGINS; i++) {
        struct ipc_pair pair = field("alt-svc", i == 0 ? "h3=\":1\"; ma=5" : "h3=\":1\"");
        snprintf(key, sizeof key, "https://h%u.example:443", i);
        altsvc_learn(&table, &origin, (struct ipc_pairs){ &pair, 1 }, false, i);
    }
    assert_int_equal(table.count, ALTSVC_ORIGINS);
    assert_true(altsvc_find(&table, &origin, 1000, &place));
    origin.key = "https://h0.example:443";
    assert_false(altsvc_find(&table, &origin, 0, &place));
    for (size_t at = strlen(long_value); at + 20 < sizeof long_value; at = strlen(long_value))
        snprintf(long_value + at, sizeof long_value - at, ", h3=\":%zu\"", at);
    learn(&table, long_value);
    for (unsigned i = 0; i < ALTSVC_PLACES; i++) {
        assert_true(altsvc_find(&table, &here, 1000, &place));
        altsvc_failed(&table, &here, &place, 1000);
    }
    assert_string_equal(found(&table), "-");
    altsvc_finish(&table);
}

UNIT_TESTS(TEST(a_place_is_read_as_it_is_written), TEST(what_is_broken_changes_nothing),
           TEST(the_last_word_counts), TEST(it_counts_until_it_is_too_old),
           TEST(a_place_that_failed_rests_longer_each_time_however_often_it_is_announced),
           TEST(the_next_place_is_taken_while_the_first_rests),
           TEST(in_another_network_only_what_persists_stays),
           TEST(what_one_session_heard_others_are_not_told), TEST(only_another_host_is_said_to_come_from_a_public_one), TEST(the_table_is_bounded))
