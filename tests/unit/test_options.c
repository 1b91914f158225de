/* fetchctl/options.c: the command line by its table. */
#include "client/fetchctl/options.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Parses copies, as argv is written to. */
static int parse(struct options *options, unsigned command, const char *const *words)
{
    static char memory[32][256];
    static char *argv[33];
    int argc = 0;
    for (; words[argc]; argc++) {
        strncpy(memory[argc], words[argc], sizeof memory[argc] - 1);
        argv[argc] = memory[argc];
    }
    argv[argc] = NULL;
    return options_parse(options, command, argc, argv, 0);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* What is said on stderr is not this file's claim. */
static void expect_code(unsigned command, const char *const *words, int code)
{
    struct options options;
    assert_int_equal(parse(&options, command, words), code);
    options_finish(&options);
}

static void options_and_urls_may_be_mixed(void **state)
{
    (void)state;
    struct options options;
    assert_int_equal(parse(&options, COMMAND_GET, WORDS("a", "-L", "b", "-o", "f", "c", "--", "-k", "-")), 0);
    assert_int_equal(options.words.count, 5);
    assert_string_equal(options.words.items[3], "-k");
    assert_string_equal(options.words.items[4], "-");
    assert_true(options.follow);
    assert_false(options.insecure);
    options_finish(&options);
}

static void short_options_stand_together_and_take_the_rest_of_the_word(void **state)
{
    (void)state;
    struct options options;
    assert_int_equal(parse(&options, COMMAND_GET, WORDS("-sSkLo", "file", "-XPURGE", "-HA: b", "u")), 0);
    assert_true(options.silent && options.show_error && options.insecure && options.follow);
    assert_string_equal(options.outputs.items[0], "file");
    assert_string_equal(options.method, "PURGE");
    assert_string_equal(options.headers.items[0], "A: b");
    options_finish(&options);
}

static void long_options_take_the_next_word_or_what_follows_an_equals_sign(void **state)
{
    (void)state;
    struct options options;
    assert_int_equal(parse(&options, COMMAND_GET, WORDS("--request", "PUT", "--user-agent=a=b", "u")), 0);
    assert_string_equal(options.method, "PUT");
    assert_string_equal(options.user_agent, "a=b");
    options_finish(&options);
}

static void the_last_of_several_counts_but_lists_grow(void **state)
{
    (void)state;
    struct options options;
    assert_int_equal(parse(&options, COMMAND_GET,
                           WORDS("-A", "1", "-A", "2", "-H", "a: b", "-H", "c: d", "-O", "-o", "x")),
                     0);
    assert_string_equal(options.user_agent, "2");
    assert_int_equal(options.headers.count, 2);
    assert_int_equal(options.outputs.count, 2);
    assert_null(options.outputs.items[0]);
    assert_string_equal(options.outputs.items[1], "x");
    options_finish(&options);
}

static void seconds_are_decimal(void **state)
{
    (void)state;
    struct options options;
    assert_int_equal(parse(&options, COMMAND_GET, WORDS("-m", "1.25", "--connect-timeout", "0.0001")), 0);
    assert_int_equal(options.max_time_ms, 1250);
    assert_int_equal(options.connect_timeout_ms, 1);
    options_finish(&options);
    for (size_t i = 0; i < 7; i++)
        expect_code(COMMAND_GET, WORDS("-m", WORDS("", "x", "1x", "-1", "nan", "inf", "1e300")[i]),
                    EXIT_USAGE);
}

static void sizes_have_curls_letters(void **state)
{
    (void)state;
    static const struct { const char *text; uint64_t bytes; } rows[] = {
        { "0", 0 }, { "7", 7 }, { "7b", 7 }, { "2k", 2048 }, { "2K", 2048 }, { "3m", 3 << 20 },
        { "1G", 1 << 30 }, { "18446744073709551615", UINT64_MAX },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct options options;
        assert_int_equal(parse(&options, COMMAND_GET, WORDS("--limit-rate", rows[i].text)), 0);
        assert_int_equal(options.limit_rate_bytes, rows[i].bytes);
        options_finish(&options);
    }
    for (size_t i = 0; i < 7; i++)
        expect_code(COMMAND_GET,
                    WORDS("--limit-rate", WORDS("", "k", "5x", "5kk", "-5", "99999999999999999999",
                                                "18446744073709551615k")[i]),
                    EXIT_USAGE);
}

static void data_is_joined_as_curl_joins_it(void **state)
{
    (void)state;
    struct options options;
    assert_int_equal(
        parse(&options, COMMAND_POST, WORDS("-d", "a=1", "--data-raw", "@b", "--data-binary", "c\n")), 0);
    assert_string_equal(options.data.data, "a=1&@b&c\n");
    assert_false(options.data_is_json);
    options_finish(&options);
    assert_int_equal(parse(&options, COMMAND_POST, WORDS("--json", "[1,", "--json", "2]")), 0);
    assert_string_equal(options.data.data, "[1,2]");
    assert_true(options.data_is_json);
    options_finish(&options);
    assert_int_equal(parse(&options, COMMAND_POST, WORDS("-d", "")), 0);
    assert_true(options.has_data);
    options_finish(&options);
}

static void only_line_ends_of_a_file_are_left_out_of_data(void **state)
{
    (void)state;
    char path[] = "/tmp/fetchctl-options-XXXXXX", argument[64];
    struct options options;
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "a\r\nb\0c\n", 7), 7);
    close(fd);
    snprintf(argument, sizeof argument, "@%s", path);
    assert_int_equal(parse(&options, COMMAND_POST, WORDS("-d", "x\ny", "-d", argument)), 0);
    assert_int_equal(options.data.length, 7);
    assert_memory_equal(options.data.data, "x\ny&abc", 7);
    options_finish(&options);
    unlink(path);
    expect_code(COMMAND_POST, WORDS("-d", argument), EXIT_READ);
}

static void what_is_not_of_the_command_is_refused(void **state)
{
    (void)state;
    expect_code(COMMAND_GET, WORDS("--hash"), EXIT_USAGE);
    expect_code(COMMAND_STATUS, WORDS("-k"), EXIT_USAGE);
    expect_code(COMMAND_HEAD, WORDS("-d", "x"), EXIT_USAGE);
    expect_code(COMMAND_BENCH, WORDS("-v"), EXIT_USAGE);
    expect_code(COMMAND_BATCH, WORDS("-O"), EXIT_USAGE);
}

static void what_is_unknown_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < 7; i++)
        expect_code(COMMAND_GET,
                    WORDS(WORDS("--frob", "-Z", "-sZ", "--loc", "--locationx", "--=x", "--insecure=1")[i]),
                    EXIT_USAGE);
    expect_code(COMMAND_GET, WORDS("--ftp-port", "-"), EXIT_UNSUPPORTED);
    expect_code(COMMAND_GET, WORDS("-o"), EXIT_USAGE);
}

static void json_means_a_body_or_a_format_as_the_command_has_it(void **state)
{
    (void)state;
    struct options options;
    assert_int_equal(parse(&options, COMMAND_STATUS, WORDS("--json")), 0);
    assert_true(options.as_json);
    options_finish(&options);
    assert_int_equal(parse(&options, COMMAND_BENCH, WORDS("--json", "u")), 0);
    assert_true(options.as_json);
    assert_int_equal(options.words.count, 1);
    options_finish(&options);
    assert_int_equal(parse(&options, COMMAND_BATCH, WORDS("--json", "{}", "-")), 0);
    assert_true(options.has_data && !options.as_json);
    options_finish(&options);
}

static void max_redirs_takes_minus_one(void **state)
{
    (void)state;
    struct options options;
    assert_int_equal(parse(&options, COMMAND_GET, WORDS("--max-redirs", "-1")), 0);
    assert_int_equal(options.max_redirects, -1);
    options_finish(&options);
    expect_code(COMMAND_GET, WORDS("--max-redirs", "-2"), EXIT_USAGE);
    expect_code(COMMAND_GET, WORDS("--max-redirs", "1001"), EXIT_USAGE);
}

static void secrets_are_overwritten_where_ps_would_show_them(void **state)
{
    (void)state;
    struct options options;
    char words[][16] = { "-u", "user:pass", "-xproxy:1" };
    char *argv[] = { words[0], words[1], words[2], NULL };
    assert_int_equal(options_parse(&options, COMMAND_GET, 3, argv, 0), 0);
    assert_string_equal(options.user, "user:pass");
    assert_string_equal(options.proxy, "proxy:1");
    assert_string_equal(words[1], "*********");
    assert_string_equal(words[2], "-x*******");
    options_finish(&options);
    char socks[][24] = { "--socks5-hostname", "u:pass@host:9050", "--oauth2-bearer", "token" };
    char *more[] = { socks[0], socks[1], socks[2], socks[3], NULL };
    assert_int_equal(options_parse(&options, COMMAND_GET, 4, more, 0), 0);
    assert_string_equal(options.proxy, "socks5h://u:pass@host:9050");
    assert_string_equal(socks[1], "****************");
    assert_string_equal(options.bearer, "token");
    assert_string_equal(socks[3], "*****");
    options_finish(&options);
}

static void ways_of_asking_and_tls_versions_are_curls(void **state)
{
    (void)state;
    struct options options;
    assert_int_equal(parse(&options, COMMAND_GET, WORDS("--basic", "--digest", "--proxy-anyauth", "--tlsv1.2",
                                                        "--tls-max", "1.3", "--socks4", "h", "--socks4a", "h")), 0);
    assert_string_equal(options.auth, "digest");
    assert_string_equal(options.proxy_auth, "any");
    assert_string_equal(options.tls_min, "1.2");
    assert_string_equal(options.tls_max, "1.3");
    assert_string_equal(options.proxy, "socks4a://h");
    options_finish(&options);
    expect_code(COMMAND_GET, WORDS("--tls-max", "1.4"), EXIT_USAGE);
    expect_code(COMMAND_GET, WORDS("--socks5", "http://h"), EXIT_USAGE);
    expect_code(COMMAND_GET, WORDS("--doh-url", "https://h/"), EXIT_UNSUPPORTED);
}

UNIT_TESTS(TEST(options_and_urls_may_be_mixed),
           TEST(short_options_stand_together_and_take_the_rest_of_the_word),
           TEST(long_options_take_the_next_word_or_what_follows_an_equals_sign),
           TEST(the_last_of_several_counts_but_lists_grow), TEST(seconds_are_decimal),
           TEST(sizes_have_curls_letters), TEST(data_is_joined_as_curl_joins_it),
           TEST(only_line_ends_of_a_file_are_left_out_of_data), TEST(what_is_not_of_the_command_is_refused),
           TEST(what_is_unknown_is_refused), TEST(json_means_a_body_or_a_format_as_the_command_has_it),
           TEST(max_redirs_takes_minus_one), TEST(secrets_are_overwritten_where_ps_would_show_them),
           TEST(ways_of_asking_and_tls_versions_are_curls))
