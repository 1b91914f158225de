/* conf.c: the INI file, checked and printed by the rows of settings.def and origin.def. */
#include "conf/conf.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char error[CONF_ERROR_BYTES];

/* Reads text from a file called "f"; the error is left in `error`. */
static int read_bytes(struct conf *conf, const char *text, size_t length)
{
    char folder[UNIT_PATH_BYTES];
    unit_make_folder(folder);
    assert_int_equal(chdir(folder), 0);
    FILE *file = fopen("f", "wb");
    assert_int_equal(fwrite(text, 1, length, file), length);
    fclose(file);
    error[0] = '\0';
    int result = conf_read(conf, "f", error);
    unlink("f");
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(folder), 0);
    return result;
}

static struct conf *read_good(const char *text)
{
    struct conf *conf = conf_create();
    assert_non_null(conf);
    if (read_bytes(conf, text, strlen(text)) < 0)
        fail_msg("%s", error);
    return conf;
}

static void assert_bad(const char *text, const char *wanted)
{
    struct conf *conf = conf_create();
    assert_int_equal(read_bytes(conf, text, strlen(text)), -1);
    if (strncmp(error, wanted, strlen(wanted)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", error, wanted);
    conf_destroy(conf);
}

static char *read_whole(const char *path)
{
    char *text = calloc(1, 100000);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_in_range(fread(text, 1, 99999, file), 1000, 99998);
    fclose(file);
    return text;
}

static char *print(const struct conf *conf)
{
    char *text = calloc(1, 100000);
    FILE *out = tmpfile();
    assert_non_null(out);
    conf_print(conf, out);
    rewind(out);
    assert_in_range(fread(text, 1, 99999, out), 1000, 99998);
    fclose(out);
    return text;
}

/* ---- the shipped file ---- */

static void the_shipped_file_is_what_the_defaults_print(void **state)
{
    (void)state;
    struct conf *conf = conf_create();
    char *printed = print(conf), *shipped = read_whole(UNIT_FOLDER "/../../conf/fetchd.ini");
    if (strcmp(printed, shipped) != 0)
        fail_msg("conf/fetchd.ini is old; make it anew: fetchd --print-config >conf/fetchd.ini");
    free(printed);
    free(shipped);
    conf_destroy(conf);
}

static void the_shipped_file_changes_nothing(void **state)
{
    (void)state;
    struct conf *defaults = conf_create(), *conf = conf_create();
    if (conf_read(conf, UNIT_FOLDER "/../../conf/fetchd.ini", error) < 0)
        fail_msg("%s", error);
    char *one = print(defaults), *other = print(conf);
    assert_string_equal(one, other);
    free(one);
    free(other);
    conf_destroy(defaults);
    conf_destroy(conf);
}

static void what_is_printed_reads_back_the_same(void **state)
{
    (void)state;
    struct conf *conf = read_good("[daemon]\nlisten = unix:/x y\nmode=0660\ngroup = web\n"
                                  "[limits]\nbody = 1536KiB\n[timeouts]\nconnect = 90s\ntotal=1500ms\n"
                                  "[egress]\nallow = 10.0.0.0/8 a b c d e f g h i j k, [::1]:8443\ndeny=\n"
                                  "[log]\nlevel = debug\nformat = json\n"
                                  "[origin \"https://[2001:db8::1]:8443\"]\nrate = 5\n"
                                  "[origin \"*.example\"]\nburst=3\n");
    char *printed = print(conf);
    struct conf *again = read_good(printed);
    char *second = print(again);
    assert_string_equal(printed, second);
    assert_string_equal(again->listen, "unix:/x y");
    assert_int_equal(again->max_body_bytes, 1536 * 1024);
    assert_int_equal(again->connect_timeout_ms, 90000);
    assert_int_equal(again->total_timeout_ms, 1500);
    assert_int_equal(again->egress_allow.count, 13);
    assert_int_equal(again->egress_deny.count, 0);
    assert_int_equal(again->origins.count, 3);
    free(printed);
    free(second);
    conf_destroy(again);
    conf_destroy(conf);
}

static void the_defaults_are_the_documented_ones(void **state)
{
    (void)state;
    struct conf *conf = conf_create();
    assert_string_equal(conf->listen, "");
    assert_string_equal(conf->socket_mode, "0600");
    assert_int_equal(conf->handshake_timeout_ms, 10000);
    assert_int_equal(conf->drain_timeout_ms, 30000);
    assert_int_equal(conf->partition_idle_ms, 120000);
    assert_int_equal(conf->max_header_bytes, 256 * 1024);
    assert_int_equal(conf->backlog_bytes, 512 * 1024);
    assert_int_equal(conf->egress_allow.count, 0);
    assert_int_equal(conf->egress_deny.count, 5);
    assert_string_equal(conf->egress_deny.items[1], "link-local");
    assert_int_equal(conf->log_level, CONF_LOG_INFO);
    assert_int_equal(conf->log_format, CONF_LOG_TEXT);
    conf_destroy(conf);
}

/* ---- values ---- */

static void durations_and_sizes_have_units(void **state)
{
    (void)state;
    static const struct { const char *text; uint64_t connect_ms; } durations[] = {
        { "0s", 0 }, { "0ms", 0 }, { "250ms", 250 }, { "7s", 7000 }, { "3m", 180000 }, { "24h", 86400000 },
    };
    static const struct { const char *text; uint64_t body; } sizes[] = {
        { "0B", 0 }, { "1B", 1 }, { "3KiB", 3072 }, { "5MiB", 5242880 }, { "2GiB", 2147483648u },
        { "9223372036854775807B", INT64_MAX },
    };
    struct conf *conf = conf_create();
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        assert_int_equal(conf_set(conf, "timeouts", "connect", durations[i].text, error), 0);
        assert_int_equal(conf->connect_timeout_ms, durations[i].connect_ms);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(conf_set(conf, "limits", "body", sizes[i].text, error), 0);
        assert_int_equal(conf->max_body_bytes, sizes[i].body);
    }
    conf_destroy(conf);
}

static void each_wrong_value_is_named_with_file_line_and_key(void **state)
{
    (void)state;
    static const struct { const char *section, *line, *wrong; } rows[] = {
        { "timeouts", "connect = 10", "wants a unit: ms, s, m or h" },
        { "timeouts", "connect = 10 s", "wants a unit: ms, s, m or h" },
        { "timeouts", "connect = 10S", "wants a unit: ms, s, m or h" },
        { "timeouts", "connect = 1.5s", "wants a unit: ms, s, m or h" },
        { "timeouts", "connect = -1s", "is not a number" },
        { "timeouts", "connect = +1s", "is not a number" },
        { "timeouts", "connect = soon", "is not a number" },
        { "timeouts", "connect =", "is not a number" },
        { "timeouts", "connect = 25h", "is above its largest value" },
        { "timeouts", "connect = 99999999999999999999s", "is too large" },
        { "timeouts", "connect = 9999999999999999999h", "is too large" },
        { "limits", "body = 10", "wants a unit: B, KiB, MiB or GiB" },
        { "limits", "body = 10KB", "wants a unit: B, KiB, MiB or GiB" },
        { "limits", "body = 99999999999GiB", "is too large" },
        { "limits", "body = 9223372036854775808B", "is above its largest value" },
        { "limits", "headers = 1023B", "is below its least value" },
        { "limits", "headers = 301KiB", "is above its largest value" },
        { "daemon", "sessions = 0", "is below its least value" },
        { "workers", "program = worker/fetchd-worker", "is not a path from the root" },
        { "workers", "program = ./fetchd-worker", "is not a path from the root" },
        { "daemon", "sessions = 1k", "is not a whole number" },
        { "daemon", "sessions = 0x10", "is not a whole number" },
        { "daemon", "mode = 07", "is too short or too long" },
        { "daemon", "mode = 00600", "is too short or too long" },
        { "log", "level = loud", "is not one of its words" },
        { "log", "level = INFO", "is not one of its words" },
        { "log", "level = info debug", "is not one of its words" },
        { "log", "level =", "is not one of its words" },
        { "origin \"x\"", "rate = fast", "is not a number" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[200], wanted[200];
        size_t key = strcspn(rows[i].line, " ");
        snprintf(text, sizeof text, "; a comment\n\n[%s]\n%s\n", rows[i].section, rows[i].line);
        snprintf(wanted, sizeof wanted, "f:4: [%s] %.*s = ", rows[i].section, (int)key, rows[i].line);
        assert_bad(text, wanted);
        if (!strstr(error, rows[i].wrong))
            fail_msg("\"%s\" does not say \"%s\"", error, rows[i].wrong);
    }
}

static void a_setting_stands_once_and_a_list_may_go_on(void **state)
{
    (void)state;
    assert_bad("[log]\nlevel = info\nlevel = debug\n", "f:3: [log] level = debug: stands twice");
    assert_bad("[log]\nlevel = info\n[tls]\n[log]\nlevel = debug\n",
               "f:5: [log] level = debug: stands twice");
    assert_bad("[log]\nlevel = info\n  debug\n", "f:3: [log] level = debug: stands twice");
    struct conf *conf = read_good("[egress]\nallow = a, b\n    c d\n\t[::1]:8443\n\n    e,,f,\ndeny = x\n");
    static const char *const wanted[] = { "a", "b", "c", "d", "[::1]:8443", "e", "f" };
    assert_int_equal(conf->egress_allow.count, 7);
    for (size_t i = 0; i < 7; i++)
        assert_string_equal(conf->egress_allow.items[i], wanted[i]);
    assert_int_equal(conf->egress_deny.count, 1);
    conf_destroy(conf);
}

static void a_list_has_its_most_items(void **state)
{
    (void)state;
    char text[4000] = "[egress]\nallow = x\n";
    for (int i = 1; i < 256; i++)
        strcat(text, i % 50 ? " x" : "\n x");
    struct conf *conf = read_good(strcat(text, "\n"));
    assert_int_equal(conf->egress_allow.count, 256);
    conf_destroy(conf);
    assert_bad(strcat(text, " x\n"), "f:");
    assert_non_null(strstr(error, "has too many items"));
}

static void an_inline_comment_is_no_value(void **state)
{
    (void)state;
    struct conf *conf = read_good("[log] ; where\nlevel = debug ; loud\n# also one\n"
                                  "[daemon]\nlisten = unix:/a;b\n");
    assert_int_equal(conf->log_level, CONF_LOG_DEBUG);
    assert_string_equal(conf->listen, "unix:/a;b");
    conf_destroy(conf);
}

/* ---- structure ---- */

static void unknown_names_are_errors_where_they_stand(void **state)
{
    (void)state;
    assert_bad("[log]\nlevel = info\n[nonsense]\nlevel = info\n", "f:3: there is no section [nonsense]");
    assert_bad("[log]\n\n[nonsense]\n", "f:3: there is no section [nonsense]");   /* though empty */
    assert_bad("[]\n", "f:1: there is no section []");
    assert_bad("[Log]\n", "f:1: there is no section [Log]");
    assert_bad("\xef\xbb\xbf[nonsense]\n", "f:1: there is no section [nonsense]");
    assert_bad("  [nonsense]\n", "f:1: there is no section [nonsense]");
    assert_bad("[origin]\nrate = 1\n", "f:1: there is no section [origin]");
    assert_bad("[origin \"\"]\nrate = 1\n", "f:1: there is no section [origin \"\"]");
    assert_bad("[origin x]\n", "f:1: there is no section [origin x]");
    assert_bad("[log]\ncolour = yes\n", "f:2: there is no setting \"colour\" in [log]");
    assert_bad("[log]\nLevel = info\n", "f:2: there is no setting \"Level\" in [log]");
    assert_bad("[log]\nconnect = 1s\n", "f:2: there is no setting \"connect\" in [log]");
    assert_bad("[origin \"x\"]\nlevel = info\n", "f:2: there is no setting \"level\" in [origin \"x\"]");
    assert_bad("level = info\n[log]\n", "f:1: \"level\" stands before any [section]");
}

static void lines_that_are_neither_section_nor_setting_are_errors(void **state)
{
    (void)state;
    assert_bad("[log]\nlevel\n", "f:2: neither [section] nor key = value");
    assert_bad("[log\nlevel = info\n", "f:1: neither [section] nor key = value");
    assert_bad("[log]\nlevel = info\nnonsense\nlevel = info\n", "f:3: neither [section] nor key = value");
    assert_bad("[log]\nlevel = loud\nnonsense\n", "f:2: [log] level = loud");
}

static void the_first_error_is_the_one_that_is_told(void **state)
{
    (void)state;
    assert_bad("[log]\nlevel = loud\n[nonsense]\nlevel = x\n", "f:2: [log] level");
    assert_bad("[nonsense]\n[log]\nlevel = loud\n", "f:1: there is no section");
}

static void a_line_too_long_is_an_error_not_two_lines(void **state)
{
    (void)state;
    char text[3000] = "[daemon]\nlisten = unix:/";
    memset(text + strlen(text), 'x', 2000);
    assert_bad(strcat(text, "\nmode = 0600\n"), "f:2: the line is too long");
}

static void what_can_not_be_read_is_an_error(void **state)
{
    (void)state;
    struct conf *conf = conf_create();
    assert_int_equal(conf_read(conf, "/nonexistent/f", error), -1);
    assert_string_equal(error, "/nonexistent/f: No such file or directory");
    assert_int_equal(conf_read(conf, "/tmp", error), -1);   /* a folder opens, but has no lines */
    assert_memory_equal(error, "/tmp: ", 6);   /* to open a folder may be refused, or to read it */
    conf_destroy(conf);
}

static void an_empty_file_is_all_defaults(void **state)
{
    (void)state;
    struct conf *conf = read_good(""), *defaults = conf_create();
    char *one = print(conf), *other = print(defaults);
    assert_string_equal(one, other);
    free(one);
    free(other);
    conf_destroy(conf);
    conf_destroy(defaults);
}

static void errors_stay_within_their_room_whatever_the_file_holds(void **state)
{
    (void)state;
    uint64_t seed = 11;
    static const char *const pieces[] = { "[log]\n", "level = ", "\n", "[", "]", "=", "origin \"", "\"]\n",
                                          " ; ",
                                          "\xff", "\x1b[31m", "%s%n", "allow = ", "\n  ",
                                          "xxxxxxxxxxxxxxxxxxxxxxxx" };
    for (int turn = 0; turn < 3000; turn++) {
        char text[2000] = "";
        struct conf *conf = conf_create();
        for (int i = 0; i < 40; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            strcat(text, pieces[(seed >> 33) % (sizeof pieces / sizeof pieces[0])]);
        }
        text[(seed >> 50) % 40] = '\0';
        int result = read_bytes(conf, text, 41 + strlen(text + 41));
        assert_int_equal(result < 0, error[0] != '\0');
        assert_in_range(strlen(error), 0, CONF_ERROR_BYTES - 1);
        conf_destroy(conf);
    }
}

static void a_class_has_a_plain_name(void **state)
{
    (void)state;
    assert_bad("[class \"a b\"]\nrate = 1\n", "f:1: there is no section [class \"a b\"]");
    assert_bad("[class \"\"]\nrate = 1\n", "f:1: there is no section [class \"\"]");
}

/* ---- origins ---- */

static uint64_t rate_of(const struct conf *conf, const char *key, const char *host)
{
    return conf_origin(conf, key, host)->rate;
}

static void the_first_section_that_matches_an_origin_holds(void **state)
{
    (void)state;
    struct conf *conf = read_good("[origin \"https://api.example.com:443\"]\nrate = 1\n"
                                  "[origin \"*.example.com\"]\nrate = 2\n"
                                  "[origin \"http://*\"]\nrate = 3\n"
                                  "[origin \"a?c.example\"]\nrate = 4\n"
                                  "[origin \"*\"]\nrate = 9\n"
                                  "[origin \"last.example\"]\nrate = 5\n");
    assert_int_equal(rate_of(conf, "https://api.example.com:443", "api.example.com"), 1);
    assert_int_equal(rate_of(conf, "https://api.example.com:444", "api.example.com"), 2);
    assert_int_equal(rate_of(conf, "https://www.example.com:443", "www.example.com"), 2);
    assert_int_equal(rate_of(conf, "https://example.com:443", "example.com"), 9);
    assert_int_equal(rate_of(conf, "http://other.example:80", "other.example"), 3);
    assert_int_equal(rate_of(conf, "https://abc.example:443", "abc.example"), 4);
    assert_int_equal(rate_of(conf, "https://abbc.example:443", "abbc.example"), 9);
    assert_int_equal(rate_of(conf, "https://last.example:443", "last.example"), 5);   /* "*" is always last */
    assert_int_equal(conf->origins.count, 6);
    conf_destroy(conf);
}

static void patterns_match_by_star_and_question_mark_alone(void **state)
{
    (void)state;
    static const struct { const char *pattern, *host; bool matches; } rows[] = {
        { "a", "a", true }, { "a", "b", false }, { "a", "aa", false }, { "aa", "a", false },
        { "A", "a", true },
        { "a*", "a", true }, { "a*", "abc", true }, { "*c", "abc", true }, { "*b", "abc", false },
        { "a*c", "abcbc", true }, { "a*b*c", "aXbYbZc", true }, { "a*b*c", "aXcYb", false },
        { "**", "x", true },
        { "?", "a", true }, { "?", "ab", false }, { "a?c", "ac", false }, { "*?", "abc", true },
        { "[abc]", "a", false }, { "[::1]", "[::1]", true }, { "\\a", "a", false }, { "a.c", "abc", false },
        { "*.example", ".example", true }, { "*aab", "aaaab", true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[100];
        snprintf(text, sizeof text, "[origin \"%s\"]\nrate = 7\n", rows[i].pattern);
        struct conf *conf = read_good(text);
        if ((rate_of(conf, "", rows[i].host) == 7) != rows[i].matches)
            fail_msg("%s and %s", rows[i].pattern, rows[i].host);
        conf_destroy(conf);
    }
}

static void a_pattern_may_be_long_and_hold_an_ipv6_address(void **state)
{
    (void)state;
    struct conf *conf = read_good(
        "[origin \"https://a-rather-long-name.of-a-department.of-a-company.example.com:8443\"]\nrate = 1\n"
        "[origin \"http://[2001:db8::1]:8080\"]  ; the lab\nrate = 2\n");
    const char *host = "a-rather-long-name.of-a-department.of-a-company.example.com";
    assert_int_equal(rate_of(conf, "https://a-rather-long-name.of-a-department.of-a-company.example.com:8443",
                             host), 1);
    assert_int_equal(rate_of(conf, "http://[2001:db8::1]:8080", "2001:db8::1"), 2);
    conf_destroy(conf);
}

static void an_origin_section_has_its_own_defaults(void **state)
{
    (void)state;
    struct conf *conf = read_good("[origin \"*\"]\nburst = 50\n[origin \"x\"]\nrate = 2\n");
    assert_int_equal(conf_origin(conf, "-", "x")->rate, 2);
    assert_int_equal(conf_origin(conf, "-", "x")->burst, 1);
    assert_int_equal(conf_origin(conf, "-", "y")->burst, 50);
    assert_bad("[origin \"x\"]\nrate = 2\nrate = 3\n", "f:3: [origin \"x\"] rate = 3: stands twice");
    conf_destroy(conf);
}

/* ---- reload ---- */

struct differences { char text[400]; };

static void on_difference(const char *section, const char *key, void *context)
{
    struct differences *differences = context;
    snprintf(differences->text + strlen(differences->text),
             sizeof differences->text - strlen(differences->text),
             "%s.%s ", section, key);
}

static void compare_names_what_only_a_restart_can_change(void **state)
{
    (void)state;
    struct differences differences = { "" };
    struct conf *running = conf_create(), *wanted = conf_create();
    conf_compare(running, wanted, on_difference, &differences);
    assert_string_equal(differences.text, "");
    conf_destroy(wanted);
    wanted = read_good("[daemon]\nlisten = unix:/x\nmode = 0660\nsessions = 5\n[workers]\ncount = 3\n"
                       "[timeouts]\nconnect = 1s\n[egress]\nallow = x\n[log]\nlevel = debug\n"
                       "[access]\ndeny = *\n[class \"new\"]\nrate = 5\n[class \"more\"]\nworkers = 1\n");
    conf_compare(running, wanted, on_difference, &differences);
    assert_string_equal(differences.text, "daemon.listen daemon.mode workers.count class.workers ");
    conf_destroy(running);
    conf_destroy(wanted);
}

static void a_refused_file_leaves_nothing_but_memory_to_free(void **state)
{
    (void)state;
    struct conf *conf = conf_create();
    static const char text[] = "[daemon]\nlisten = unix:/x\n[egress]\nallow = a b\n[origin \"x\"]\nrate=1\n"
                               "[log]\nlevel=x\n";
    assert_int_equal(read_bytes(conf, text, sizeof text - 1), -1);
    conf_destroy(conf);
    conf_destroy(NULL);
}

static void a_doh_server_is_of_https(void **state)
{
    (void)state;
    struct conf *conf = conf_create();
    static const char *const wrong[] = { "http://a/", "dns.example", "https://", "https://a b/" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(conf_set(conf, "dns", "doh_url", wrong[i], error), -1);
    assert_int_equal(conf_set(conf, "dns", "doh_url", "https://dns.example/dns-query", error), 0);
    assert_int_equal(conf_set(conf, "dns", "doh_url", "", error), 0);
    conf_destroy(conf);
}

UNIT_TESTS(TEST(a_doh_server_is_of_https),
           TEST(the_shipped_file_is_what_the_defaults_print), TEST(the_shipped_file_changes_nothing),
           TEST(what_is_printed_reads_back_the_same), TEST(the_defaults_are_the_documented_ones),
           TEST(durations_and_sizes_have_units), TEST(each_wrong_value_is_named_with_file_line_and_key),
           TEST(a_setting_stands_once_and_a_list_may_go_on), TEST(a_list_has_its_most_items),
           TEST(an_inline_comment_is_no_value), TEST(unknown_names_are_errors_where_they_stand),
           TEST(lines_that_are_neither_section_nor_setting_are_errors),
           TEST(the_first_error_is_the_one_that_is_told),
           TEST(a_line_too_long_is_an_error_not_two_lines), TEST(what_can_not_be_read_is_an_error),
           TEST(an_empty_file_is_all_defaults), TEST(errors_stay_within_their_room_whatever_the_file_holds),
           TEST(the_first_section_that_matches_an_origin_holds),
           TEST(patterns_match_by_star_and_question_mark_alone),
           TEST(a_pattern_may_be_long_and_hold_an_ipv6_address), TEST(an_origin_section_has_its_own_defaults),
           TEST(a_class_has_a_plain_name),
           TEST(compare_names_what_only_a_restart_can_change),
           TEST(a_refused_file_leaves_nothing_but_memory_to_free))
