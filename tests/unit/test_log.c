/* log.c: one record a line, whatever somebody managed to get into it. */
#include "daemon/log.h"

#include "unit.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

static char line[32768];

/* What log_write writes, without its newline. */
static const char *written(enum log_level level, const char *text)
{
    FILE *file = tmpfile();
    int kept = dup(STDERR_FILENO);
    assert_non_null(file);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    log_write(level, "%s", text);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = '\0';
    if (length > 0) {
        assert_int_equal(line[length - 1], '\n');
        line[length - 1] = '\0';
        assert_null(strchr(line, '\n'));
    }
    return line;
}

/* "2026-11-21T05:14:00.123Z" */
static void assert_timestamp(const char *text)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    for (size_t i = 0; shape[i]; i++)
        assert_true(shape[i] == 'd' ? isdigit((unsigned char)text[i]) : text[i] == shape[i]);
}

static void a_record_has_time_level_and_text(void **state)
{
    (void)state;
    log_configure(LOG_LEVEL_INFO, false);
    assert_timestamp(written(LOG_LEVEL_INFO, "session 1: hello"));
    assert_string_equal(line + 24, " info    session 1: hello");
    assert_string_equal(written(LOG_LEVEL_WARNING, "x") + 24, " warning x");
    assert_string_equal(written(LOG_LEVEL_ERROR, "x") + 24, " error   x");
}

static void records_above_the_level_are_not_written(void **state)
{
    (void)state;
    log_configure(LOG_LEVEL_WARNING, false);
    assert_string_equal(written(LOG_LEVEL_NOTICE, "x"), "");
    assert_string_equal(written(LOG_LEVEL_DEBUG, "x"), "");
    assert_string_not_equal(written(LOG_LEVEL_WARNING, "x"), "");
    assert_false(log_enabled(LOG_LEVEL_INFO));
    log_configure(LOG_LEVEL_DEBUG, false);
    assert_string_not_equal(written(LOG_LEVEL_DEBUG, "x"), "");
}

static const struct { const char *text, *plain, *json; } escapes[] = {
    { "plain", "plain", "plain" },
    { "one\ntwo\r\n", "one\\x0atwo\\x0d\\x0a", "one\\u000atwo\\u000d\\u000a" },
    { "tab\t", "tab\\x09", "tab\\u0009" },
    { "\x1b[31mred", "\\x1b[31mred", "\\u001b[31mred" },
    { "del\x7f", "del\\x7f", "del\\u007f" },
    { "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5", "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5",
      "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5" },
    { "c1 \xc2\x9b" "31m \xc2\x85", "c1 \\x9b31m \\x85", "c1 \\u009b31m \\u0085" },
    { "nbsp \xc2\xa0", "nbsp \xc2\xa0", "nbsp \xc2\xa0" },
    { "\xc3\xbc then \xff and \xc3\xbc", "\xc3\xbc then \\xff and \\xc3\\xbc",
      "\xc3\xbc then \\u00ff and \\u00c3\\u00bc" },
    { "cut \xe6\x97", "cut \\xe6\\x97", "cut \\u00e6\\u0097" },
    { "say \"hi\" \\ there", "say \"hi\" \\ there", "say \\u0022hi\\u0022 \\u005c there" },
    { "%s%n", "%s%n", "%s%n" },
};

static void foreign_text_is_escaped(void **state)
{
    (void)state;
    log_configure(LOG_LEVEL_INFO, false);
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++)
        assert_string_equal(written(LOG_LEVEL_INFO, escapes[i].text) + 24 + 9, escapes[i].plain);
}

static void json_records_are_one_object_a_line(void **state)
{
    (void)state;
    log_configure(LOG_LEVEL_INFO, true);
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        char wanted[300];
        written(LOG_LEVEL_NOTICE, escapes[i].text);
        assert_memory_equal(line, "{\"time\":\"", 9);
        assert_timestamp(line + 9);
        snprintf(wanted, sizeof wanted, "\",\"level\":\"notice\",\"message\":\"%s\"}", escapes[i].json);
        assert_string_equal(line + 9 + 24, wanted);
    }
}

static void a_long_message_is_cut_and_stays_one_line(void **state)
{
    (void)state;
    static char text[10000];
    static const char fills[] = { 'x', '\n', '"', '\xff' };
    for (int json = 0; json < 2; json++) {
        log_configure(LOG_LEVEL_INFO, json);
        for (size_t i = 0; i < sizeof fills; i++) {
            memset(text, fills[i], sizeof text - 1);
            written(LOG_LEVEL_INFO, text);
            assert_in_range(strlen(line), 1000, 9000);
            assert_int_equal(line[strlen(line) - 1] == '}', json);
        }
    }
}

/* Cut in the midst of a character, the rest still is what it was. */
static void a_character_cut_in_two_costs_only_itself(void **state)
{
    (void)state;
    char text[3001];
    log_configure(LOG_LEVEL_INFO, false);
    for (int i = 0; i < 1000; i++)
        memcpy(text + 3 * i, "\xe6\x97\xa5", 4);
    written(LOG_LEVEL_INFO, text);
    assert_memory_equal(line + 33, "\xe6\x97\xa5\xe6\x97\xa5", 6);
    assert_null(strstr(line, "\\xa5"));
}

static void set_stream(int fd, unsigned long long add)
{
    struct stat status;
    char stream[64];
    assert_int_equal(fstat(fd, &status), 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino + add);
    uv_os_setenv("JOURNAL_STREAM", stream);
    log_start();
}

static void to_the_journal_a_record_begins_with_its_priority(void **state)
{
    (void)state;
    struct stat status;
    if (fstat(STDERR_FILENO, &status) == 0 && status.st_ino == 0)
        unit_skip("streams have no numbers here");
    set_stream(STDERR_FILENO, 0);
    log_configure(LOG_LEVEL_INFO, false);
    assert_string_equal(written(LOG_LEVEL_WARNING, "session 1: a\nb"), "<4>session 1: a\\x0ab");
    log_configure(LOG_LEVEL_INFO, true);
    assert_memory_equal(written(LOG_LEVEL_ERROR, "x"), "<3>{\"time\":\"", 12);
    set_stream(STDERR_FILENO, 1);
    log_configure(LOG_LEVEL_INFO, false);
    assert_timestamp(written(LOG_LEVEL_INFO, "not the journal"));
    assert_false(log_goes_to_journal(NULL, STDERR_FILENO));
    assert_false(log_goes_to_journal("nonsense", STDERR_FILENO));
}

static char copied[256];

static void on_line(int level, const char *text)
{
    snprintf(copied, sizeof copied, "%d %s", level, text);
}

static void whoever_asked_for_a_copy_gets_each_record_escaped(void **state)
{
    (void)state;
    log_configure(LOG_LEVEL_INFO, false);
    log_copy(on_line);
    written(LOG_LEVEL_WARNING, "session 1: a\nb");
    assert_string_equal(copied, "4 session 1: a\\x0ab");
    written(LOG_LEVEL_DEBUG, "below the level");
    assert_string_equal(copied, "4 session 1: a\\x0ab");
    log_copy(NULL);
    written(LOG_LEVEL_ERROR, "x");
    assert_string_equal(copied, "4 session 1: a\\x0ab");
}

UNIT_TESTS(TEST(a_record_has_time_level_and_text), TEST(records_above_the_level_are_not_written),
           TEST(foreign_text_is_escaped), TEST(json_records_are_one_object_a_line),
           TEST(a_long_message_is_cut_and_stays_one_line), TEST(a_character_cut_in_two_costs_only_itself),
           TEST(to_the_journal_a_record_begins_with_its_priority),
           TEST(whoever_asked_for_a_copy_gets_each_record_escaped))
