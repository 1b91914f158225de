/* access.c and quota.c: who may be here, and how much of it. */
#include "daemon/access.h"
#include "daemon/quota.h"

#include "members.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWN 990

/* A configuration with "section.key" settings. */
static struct conf *conf_with(const char *allow, const char *deny, const char *admin)
{
    char error[CONF_ERROR_BYTES];
    struct conf *conf = conf_create();
    assert_int_equal(conf_set(conf, "access", "allow", members_written(allow), error), 0);
    assert_int_equal(conf_set(conf, "access", "deny", members_written(deny), error), 0);
    assert_int_equal(conf_set(conf, "access", "admin", members_written(admin), error), 0);
    return conf;
}

static enum access access_for(const struct conf *conf, uint64_t user, uint64_t group, uint64_t other_group)
{
    uint64_t groups[] = { members_id(group), members_id(other_group) };
    struct peer peer = { .user = members_id(user), .root = user == 0, .groups = groups, .group_count = 2 };
    return access_of(conf, &peer, members_id(OWN));
}

static void the_matrix_of_lists_and_users(void **state)
{
    static const struct { const char *allow, *deny, *admin; uint64_t user, group, other; enum access wanted; } rows[] = {
        { "*", "", "", 1000, 1000, 0, ACCESS_USER },
        { "", "", "", 1000, 1000, 0, ACCESS_DENIED },
        { "1000", "", "", 1000, 5, 6, ACCESS_USER },
        { "1000", "", "", 1001, 1000, 1000, ACCESS_DENIED },
        { "@1000", "", "", 1001, 1000, 6, ACCESS_USER },
        { "@1000", "", "", 1001, 6, 1000, ACCESS_USER },
        { "@1000", "", "", 1000, 5, 6, ACCESS_DENIED },
        { "*", "1000", "", 1000, 5, 6, ACCESS_DENIED },
        { "*", "@6", "", 1000, 5, 6, ACCESS_DENIED },
        { "*", "*", "1000", 1000, 5, 6, ACCESS_DENIED },
        { "*", "", "1000", 1000, 5, 6, ACCESS_ADMIN },
        { "", "", "@6", 1000, 5, 6, ACCESS_ADMIN },
        { "*", "", "@6", 1000, 5, 7, ACCESS_USER },
        { "", "*", "", 0, 0, 0, ACCESS_ADMIN },
        { "", "*", "", OWN, 5, 6, ACCESS_ADMIN },
        { "@0", "", "", 1000, 5, 6, ACCESS_DENIED },
        { "*", "", "@0", 1000, 5, 0, ACCESS_ADMIN },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conf *conf = conf_with(rows[i].allow, rows[i].deny, rows[i].admin);
        if (access_for(conf, rows[i].user, rows[i].group, rows[i].other) != rows[i].wanted)
            fail_msg("row %zu: not what was wanted", i);
        conf_destroy(conf);
    }
}

/* ---- quotas ---- */

static struct conf *read_text(const char *text)
{
    char path[UNIT_PATH_BYTES + 8], folder[UNIT_PATH_BYTES], error[CONF_ERROR_BYTES];
    unit_make_folder(folder);
    snprintf(path, sizeof path, "%s/f", folder);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    struct conf *conf = conf_create();
    int result = conf_read(conf, path, error);
    remove(path);
    rmdir(folder);
    if (result < 0)
        fail_msg("%s", error);
    return conf;
}

static struct quota quota_for(const struct conf *conf, uint64_t user, bool admin)
{
    uint64_t id = members_id(user);
    return (struct quota){ conf, conf_class(conf, id, &id, 1), admin };
}

static void a_class_sets_what_limits_do_not(void **state)
{
    char reason[CONF_ERROR_BYTES] = "";
    struct principal principal = { .user = 7 };
    struct conf *conf = read_text("[limits]\nprincipal_requests = 2\nprincipal_bytes = 1MiB\n"
                                  "[class \"small\"]\nrequests = 1\nbytes = 10B\n");
    assert_int_equal(conf_set(conf, "class \"small\"", "members", members_written("8"), reason), 0);
    struct quota all = quota_for(conf, 7, false), small = quota_for(conf, 8, false);
    (void)state;
    principal.in_flight = 1;
    assert_true(quota_takes_request(&all, &principal, 1024 * 1024, 1, reason));
    assert_false(quota_takes_request(&all, &principal, 1024 * 1024 + 1, 1, reason));
    assert_non_null(strstr(reason, "[limits] principal_bytes"));
    assert_false(quota_takes_request(&small, &principal, 1, 1, reason));
    assert_non_null(strstr(reason, "[class \"small\"] requests"));
    principal.in_flight = 0;
    assert_false(quota_takes_request(&small, &principal, 11, 1, reason));
    assert_non_null(strstr(reason, "[class \"small\"] bytes"));
    principal.in_flight = 2;
    assert_false(quota_takes_request(&all, &principal, 1, 1, reason));
    assert_non_null(strstr(reason, "[limits] principal_requests"));
    conf_destroy(conf);
}

static void without_a_setting_one_user_gets_half_and_an_admin_all(void **state)
{
    char reason[QUOTA_REASON_BYTES];
    struct principal principal = { .user = 7, .in_flight = 9, .sessions = 16 };
    struct conf *conf = read_text("[limits]\nrequests = 40\nqueue = 20\n[daemon]\nsessions = 32\n");
    struct quota user = quota_for(conf, 7, false), admin = quota_for(conf, 7, true);
    (void)state;
    assert_true(quota_takes_request(&user, &principal, 1, 1, reason));
    principal.in_flight = 10;
    assert_false(quota_takes_request(&user, &principal, 1, 1, reason));
    assert_true(quota_takes_request(&admin, &principal, 1, 1, reason));
    assert_true(quota_takes_session(&user, &principal, reason));
    principal.sessions = 17;
    assert_false(quota_takes_session(&user, &principal, reason));
    assert_non_null(strstr(reason, "[class \"*\"] sessions"));
    assert_true(quota_takes_session(&admin, &principal, reason));
    assert_int_equal(quota_sessions(&user), 30);
    assert_int_equal(quota_sessions(&admin), 32);
    conf_destroy(conf);
}

static void a_rate_lets_a_burst_through_and_then_so_many_a_second(void **state)
{
    char reason[QUOTA_REASON_BYTES];
    struct principal principal = { .user = 7 };
    struct conf *conf = read_text("[class \"*\"]\nrate = 10\nburst = 3\n");
    struct quota quota = quota_for(conf, 7, false);
    unsigned taken = 0;
    (void)state;
    for (int i = 0; i < 20; i++)
        taken += quota_takes_request(&quota, &principal, 1, 5000, reason);
    assert_int_equal(taken, 3);
    assert_non_null(strstr(reason, "[class \"*\"] rate"));
    assert_false(quota_takes_request(&quota, &principal, 1, 5099, reason));
    assert_true(quota_takes_request(&quota, &principal, 1, 5100, reason));
    assert_false(quota_takes_request(&quota, &principal, 1, 5100, reason));
    for (uint64_t now_ms = 6000; now_ms < 16000; now_ms += 7)
        taken += quota_takes_request(&quota, &principal, 1, now_ms, reason);
    assert_in_range(taken, 3 + 100, 3 + 103);
    conf_destroy(conf);
}

UNIT_TESTS(TEST(the_matrix_of_lists_and_users), TEST(a_class_sets_what_limits_do_not),
           TEST(without_a_setting_one_user_gets_half_and_an_admin_all),
           TEST(a_rate_lets_a_burst_through_and_then_so_many_a_second))
