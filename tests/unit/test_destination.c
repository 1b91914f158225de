/* destination.c: which addresses may be connected to. */
#include "worker/destination.h"

#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

union any_address { struct sockaddr any; struct sockaddr_in four; struct sockaddr_in6 six; };

static union any_address address_of(const char *text, unsigned port)
{
    union any_address address;
    memset(&address, 0, sizeof address);
    if (strchr(text, ':')) {
        address.six.sin6_family = AF_INET6;
        address.six.sin6_port = htons((uint16_t)port);
        assert_int_equal(inet_pton(AF_INET6, text, &address.six.sin6_addr), 1);
    } else {
        address.four.sin_family = AF_INET;
        address.four.sin_port = htons((uint16_t)port);
        assert_int_equal(inet_pton(AF_INET, text, &address.four.sin_addr), 1);
    }
    return address;
}

/* Rules as in the settings: separated by spaces, none for "". */
static struct ipc_texts list(const char *rules, struct ipc_text *items)
{
    struct ipc_texts texts = { items, 0 };
    while (*rules) {
        size_t length = strcspn(rules, " ");
        items[texts.count++] = (struct ipc_text){ rules, length };
        rules += length + (rules[length] == ' ');
    }
    return texts;
}

static struct destination_policy *policy_of(const char *allow, const char *deny)
{
    struct ipc_text allowed[16], denied[16];
    char reason[400] = "";
    struct destination_policy *policy = destination_policy_create(list(allow, allowed), list(deny, denied),
                                                                  reason, sizeof reason);
    if (!policy)
        print_error("# %s\n", reason);
    return policy;
}

static char last_reason[400];

static bool allows(const char *allow, const char *deny, const char *address, unsigned port, const char *host,
                   bool from_public)
{
    struct destination_policy *policy = policy_of(allow, deny);
    assert_non_null(policy);
    union any_address numeric = address_of(address, port);
    struct destination destination = { &numeric.any, host, from_public, false };
    last_reason[0] = '\0';
    bool allowed = destination_allowed(policy, &destination, last_reason, sizeof last_reason);
    destination_policy_destroy(policy);
    return allowed;
}

static void each_address_is_of_its_kind(void **state)
{
    (void)state;
    static const struct { const char *address; enum destination_kind kind; } rows[] = {
        { "127.0.0.1", DESTINATION_LOOPBACK }, { "127.255.255.254", DESTINATION_LOOPBACK },
        { "::1", DESTINATION_LOOPBACK }, { "::ffff:127.0.0.1", DESTINATION_LOOPBACK },
        { "::127.0.0.1", DESTINATION_LOOPBACK }, { "::ffff:0:127.0.0.1", DESTINATION_LOOPBACK },
        { "64:ff9b::7f00:1", DESTINATION_LOOPBACK }, { "2002:7f00:1::1", DESTINATION_LOOPBACK },
        { "2001:0:7f00:1::80ff:fffe", DESTINATION_LOOPBACK },              /* Teredo, its server */
        { "2001:0:808:808::80ff:fffe", DESTINATION_LOOPBACK },             /* its client: ~127.0.0.1 */
        { "2001:0:808:808::f7f7:f7f7", DESTINATION_PUBLIC },               /* ~8.8.8.8 behind 8.8.8.8 */
        { "2a00:1450::5efe:7f00:1", DESTINATION_LOOPBACK },                /* ISATAP */
        { "0.0.0.0", DESTINATION_UNSPECIFIED }, { "0.1.2.3", DESTINATION_UNSPECIFIED },
        { "::", DESTINATION_UNSPECIFIED }, { "::ffff:0.0.0.0", DESTINATION_UNSPECIFIED },
        { "169.254.169.254", DESTINATION_LINK_LOCAL }, { "fe80::1", DESTINATION_LINK_LOCAL },
        { "febf::1", DESTINATION_LINK_LOCAL }, { "::ffff:169.254.169.254", DESTINATION_LINK_LOCAL },
        { "64:ff9b::a9fe:a9fe", DESTINATION_LINK_LOCAL }, { "2002:a9fe:a9fe::", DESTINATION_LINK_LOCAL },
        { "224.0.0.1", DESTINATION_MULTICAST }, { "239.255.255.255", DESTINATION_MULTICAST },
        { "ff02::1", DESTINATION_MULTICAST },
        { "10.0.0.1", DESTINATION_PRIVATE }, { "172.16.0.1", DESTINATION_PRIVATE },
        { "172.31.255.255", DESTINATION_PRIVATE }, { "172.32.0.1", DESTINATION_PUBLIC },
        { "192.168.1.1", DESTINATION_PRIVATE }, { "100.64.0.1", DESTINATION_PRIVATE },
        { "100.127.255.255", DESTINATION_PRIVATE }, { "100.128.0.1", DESTINATION_PUBLIC },
        { "fd00::1", DESTINATION_PRIVATE }, { "fc00::1", DESTINATION_PRIVATE },
        { "fec0::1", DESTINATION_PRIVATE },
        { "64:ff9b:1::808:808", DESTINATION_PRIVATE }, { "64:ff9b::808:808", DESTINATION_PUBLIC },
        { "2002:808:808::1", DESTINATION_PUBLIC }, { "::ffff:8.8.8.8", DESTINATION_PUBLIC },
        { "192.0.2.1", DESTINATION_RESERVED }, { "198.18.0.1", DESTINATION_RESERVED },
        { "255.255.255.255", DESTINATION_RESERVED }, { "240.0.0.1", DESTINATION_RESERVED },
        { "2001:db8::1", DESTINATION_RESERVED }, { "100::1", DESTINATION_RESERVED },
        { "8.8.8.8", DESTINATION_PUBLIC }, { "1.1.1.1", DESTINATION_PUBLIC },
        { "2606:4700::1111", DESTINATION_PUBLIC }, { "2001:4860:4860::8888", DESTINATION_PUBLIC },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        union any_address address = address_of(rows[i].address, 80);
        enum destination_kind kind = destination_kind(&address.any);
        if (kind != rows[i].kind)
            fail_msg("%s is of kind %d, not %d", rows[i].address, (int)kind, (int)rows[i].kind);
    }
}

static void the_default_denies_what_is_this_host_or_its_link(void **state)
{
    (void)state;
    assert_false(allows("", "", "127.0.0.1", 80, "localhost", false));
    assert_false(allows("", "", "::1", 80, "localhost", false));
    assert_false(allows("", "", "0.0.0.0", 80, "x", false));
    assert_false(allows("", "", "169.254.169.254", 80, "metadata", false));
    assert_false(allows("", "", "fe80::1", 80, "x", false));
    assert_false(allows("", "", "224.0.0.1", 80, "x", false));
    assert_false(allows("", "", "2002:7f00:1::1", 80, "x", false));
    assert_true(allows("", "", "8.8.8.8", 443, "dns.google", false));
    assert_true(allows("", "", "10.0.0.1", 80, "x", false));
    assert_true(allows("", "", "fd00::1", 80, "x", false));
}

static void a_redirect_from_a_public_address_reaches_no_private_one(void **state)
{
    (void)state;
    assert_false(allows("", "", "10.0.0.1", 80, "x", true));
    assert_false(allows("", "", "::ffff:192.168.0.1", 80, "x", true));
    assert_false(allows("", "", "fd00::1", 80, "x", true));
    assert_true(allows("", "", "8.8.8.8", 80, "x", true));
    assert_true(allows("10.0.0.0/8", "", "10.0.0.1", 80, "x", true));
    assert_true(allows("private", "", "192.168.3.4", 80, "x", true));
}

static void allow_wins_over_deny(void **state)
{
    (void)state;
    assert_true(allows("127.0.0.1:8443", "loopback", "127.0.0.1", 8443, "", false));
    assert_false(allows("127.0.0.1:8443", "loopback", "127.0.0.1", 8444, "", false));
    assert_false(allows("127.0.0.1:8443", "loopback", "127.0.0.2", 8443, "", false));
    assert_true(allows("127.0.0.1:8443", "loopback", "::ffff:127.0.0.1", 8443, "", false));
    assert_true(allows("any", "any", "127.0.0.1", 80, "", false));
    assert_false(allows("8.8.8.8", "any", "1.1.1.1", 80, "", false));
    assert_true(allows("8.8.8.8", "any", "8.8.8.8", 80, "", false));
    assert_true(allows("[::1]:443", "loopback", "::1", 443, "", false));
    assert_false(allows("[::1]:443", "loopback", "::1", 80, "", false));
    assert_true(allows("loopback:8080", "loopback", "127.9.9.9", 8080, "", false));
}

static void allowing_one_carried_address_does_not_allow_the_other(void **state)
{
    (void)state;
    /* Teredo with the server 10.0.0.1 and the client 127.0.0.1. */
    assert_false(allows("10.0.0.0/8", "", "2001:0:a00:1::80ff:fffe", 80, "", false));
}

static void networks_match_by_their_prefix(void **state)
{
    (void)state;
    assert_false(allows("", "8.8.8.0/22", "8.8.11.255", 80, "", false));
    assert_true(allows("", "8.8.8.0/22", "8.8.12.0", 80, "", false));
    assert_false(allows("", "2600::/12", "260f::1", 80, "", false));
    assert_true(allows("", "2600::/12", "2610::1", 80, "", false));
    assert_false(allows("", "[2600::/12]:443", "260f::1", 443, "", false));
    assert_true(allows("", "[2600::/12]:443", "260f::1", 80, "", false));
    assert_false(allows("", "0.0.0.0/0", "9.9.9.9", 80, "", false));
    assert_true(allows("", "0.0.0.0/0", "2606:4700::1", 80, "", false));
    assert_false(allows("", "0.0.0.0/0", "::ffff:9.9.9.9", 80, "", false));
}

static void names_match_whatever_their_case_and_last_dot(void **state)
{
    (void)state;
    assert_true(allows("intranet.example", "any", "10.1.1.1", 80, "Intranet.EXAMPLE.", false));
    assert_false(allows("intranet.example", "any", "10.1.1.1", 80, "x.intranet.example", false));
    assert_true(allows(".example", "any", "10.1.1.1", 80, "a.b.example", false));
    assert_false(allows(".example", "any", "10.1.1.1", 80, "example", false));
    assert_false(allows(".example", "any", "10.1.1.1", 80, "notexample", false));
    assert_true(allows("localhost:8443", "loopback", "127.0.0.1", 8443, "localhost", false));
    assert_false(allows("localhost:8443", "loopback", "127.0.0.1", 8443, "", false));
    assert_false(allows("", "Evil.example", "8.8.8.8", 80, "evil.example", false));
}

static void what_is_no_rule_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "10.0.0.0/33", "10.0.0", "10.0.0.0/x", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4:http", "::1/129",
        "[::1",
        "[::1]443", "a b", "http://x", "a/b", "*", ".", "x:", "300.1.1.1", "[::1]:",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct ipc_text rule = ipc_text(wrong[i]);
        char reason[200] = "";
        struct destination_policy *policy = destination_policy_create((struct ipc_texts){ &rule, 1 },
                                                                      (struct ipc_texts){ NULL, 0 }, reason,
                                                                      sizeof reason);
        if (policy)
            fail_msg("'%s' was taken as a rule", wrong[i]);
        assert_non_null(strstr(reason, wrong[i]));
    }
}

static void a_denial_names_the_rule_and_the_setting(void **state)
{
    (void)state;
    assert_false(allows("", "", "127.0.0.1", 8443, "localhost", false));
    assert_string_equal(last_reason, "address 127.0.0.1:8443 is loopback, denied by [egress] deny; "
                                     "to allow it add 127.0.0.1:8443 to [egress] allow");
    assert_false(allows("", "", "fe80::1", 80, "x", false));
    assert_string_equal(last_reason, "address [fe80::1]:80 is link-local, denied by [egress] deny; "
                                     "to allow it add [fe80::1]:80 to [egress] allow");
    assert_false(allows("", "8.0.0.0/8:80", "8.8.8.8", 80, "x", false));
    assert_non_null(strstr(last_reason, "is in 8.0.0.0/8, denied"));
    assert_false(allows("", "", "10.0.0.1", 80, "x", true));
    assert_non_null(strstr(last_reason, "a redirect from a public address"));
}

static void what_a_denial_says_to_add_allows_it(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "127.0.0.1", "::1", "fe80::1", "::ffff:127.0.0.1", "2002:7f00:1::1",
    };
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        assert_false(allows("", "", addresses[i], 8443, "x", false));
        char rule[100];
        assert_int_equal(sscanf(strstr(last_reason, "add ") + 4, "%99s", rule), 1);
        assert_true(allows(rule, "", addresses[i], 8443, "x", false));
    }
}

static void a_name_whose_address_the_client_gave_is_not_allowed_by_name(void **state)
{
    (void)state;
    struct destination_policy *policy = policy_of("intranet.example", "loopback .denied.example");
    union any_address numeric = address_of("127.0.0.1", 80);
    struct destination destination = { &numeric.any, "intranet.example", false, false };
    assert_true(destination_allowed(policy, &destination, last_reason, sizeof last_reason));
    destination.overridden = true;
    assert_false(destination_allowed(policy, &destination, last_reason, sizeof last_reason));
    numeric = address_of("192.0.32.8", 80);
    assert_true(destination_allowed(policy, &destination, last_reason, sizeof last_reason));
    destination.host = "x.denied.example";
    assert_false(destination_allowed(policy, &destination, last_reason, sizeof last_reason));
    destination_policy_destroy(policy);
}

static bool asks(const char *allow, const char *deny, const char *host, bool from_public)
{
    struct destination_policy *policy = policy_of(allow, deny);
    assert_non_null(policy);
    bool allowed = destination_name_allowed(policy, host, 80, from_public, last_reason, sizeof last_reason);
    destination_policy_destroy(policy);
    return allowed;
}

static void what_a_proxy_would_look_up_is_held_against_names_and_figures(void **state)
{
    (void)state;
    assert_true(asks("", "loopback", "example.com", false));
    static const char *const own[] = { "127.0.0.1", "::1", "::ffff:127.0.0.1", "localhost", "LocalHost.",
                                       "a.localhost" };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        assert_false(asks("", "loopback", own[i], false));
        assert_true(asks("loopback", "loopback", own[i], false));
    }
    assert_true(asks("localhost", "loopback", "localhost", false));
    assert_false(asks("", ".example", "a.example", false));
    assert_non_null(strstr(last_reason, "a.example:80 to [egress] allow"));
    assert_true(asks("a.example", ".example", "a.example", false));
    assert_false(asks("a.example:81", ".example", "a.example", false));
    assert_false(asks("10.0.0.0/8", "any", "a.example", false));
    assert_true(asks("any", ".example", "a.example", false));
    assert_true(asks("", "loopback", "10.0.0.1", false));
    assert_false(asks("", "loopback", "10.0.0.1", true));
}

static void a_name_is_denied_wherever_it_leads(void **state)
{
    (void)state;
    struct destination_policy *policy = policy_of("b.example", "any .example");
    assert_true(destination_name_denied(policy, "a.example", 80, last_reason, sizeof last_reason));
    assert_false(destination_name_denied(policy, "b.example", 80, last_reason, sizeof last_reason));
    assert_false(destination_name_denied(policy, "a.test", 80, last_reason, sizeof last_reason));
    destination_policy_destroy(policy);
}

static void other_families_are_denied(void **state)
{
    (void)state;
    struct sockaddr local = { .sa_family = AF_UNIX };
    struct destination destination = { &local, "x", false, false };
    struct destination_policy *policy = policy_of("any", "");
    assert_false(destination_allowed(policy, &destination, last_reason, sizeof last_reason));
    destination_policy_destroy(policy);
}

UNIT_TESTS(
    TEST(each_address_is_of_its_kind),
    TEST(the_default_denies_what_is_this_host_or_its_link),
    TEST(a_redirect_from_a_public_address_reaches_no_private_one),
    TEST(allow_wins_over_deny),
    TEST(allowing_one_carried_address_does_not_allow_the_other),
    TEST(networks_match_by_their_prefix),
    TEST(names_match_whatever_their_case_and_last_dot),
    TEST(what_is_no_rule_is_refused),
    TEST(a_denial_names_the_rule_and_the_setting),
    TEST(what_a_denial_says_to_add_allows_it),
    TEST(a_name_whose_address_the_client_gave_is_not_allowed_by_name),
    TEST(what_a_proxy_would_look_up_is_held_against_names_and_figures),
    TEST(a_name_is_denied_wherever_it_leads),
    TEST(other_families_are_denied))
