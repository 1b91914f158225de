/* authorities.c: is a CA file whole? */
#include "daemon/authorities.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END "-----END CERTIFICATE-----\n"
#define BODY "MAYBAgME\nBQY=\n"   /* 30 06 01 02 03 04 05 06: a SEQUENCE of 6 bytes */

static bool whole(const char *pem)
{
    return authorities_are_whole((const uint8_t *)pem, strlen(pem));
}

static void whole_files_are_told_from_cut_ones(void **state)
{
    (void)state;
    assert_true(whole(BEGIN BODY END));
    assert_true(whole("# a comment\n" BEGIN BODY END "\nanother\n" BEGIN BODY END));
    static const char *const wrong[] = {
        "", "nothing", BEGIN, BEGIN BODY, BEGIN END, BEGIN "MAYBAgME\n" END, BEGIN "MAYBAgME\nBQYH\n" END,
        BEGIN "MAY*AgME\nBQY=\n" END, BEGIN BODY END BEGIN "MAYB", BEGIN BODY END BEGIN BODY,
        BEGIN "AAAA\n" END,
        BEGIN BEGIN BODY END,
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (whole(wrong[i]))
            fail_msg("number %zu is taken", i);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_change_counts_when_it_has_settled_and_a_broken_one_keeps_the_old(void **state)
{
    (void)state;
    char path[] = "/tmp/fetchd-unit-XXXXXX", reason[512];
    struct authorities authorities = { .pem = NULL };
    close(mkstemp(path));
    assert_int_equal(authorities_read(&authorities, path, reason, sizeof reason), -1);
    assert_non_null(strstr(reason, path));
    write_file(path, BEGIN BODY END);
    assert_int_equal(authorities_read(&authorities, path, reason, sizeof reason), 0);
    assert_false(authorities_changed(&authorities, path));
    write_file(path, BEGIN BODY END BEGIN);
    assert_false(authorities_changed(&authorities, path));   /* it may still be written */
    assert_true(authorities_changed(&authorities, path));
    assert_int_equal(authorities_read(&authorities, path, reason, sizeof reason), -1);
    assert_int_equal(authorities.length, strlen(BEGIN BODY END));
    assert_false(authorities_changed(&authorities, path));   /* told once */
    write_file(path, BEGIN BODY END BEGIN BODY END);
    authorities_changed(&authorities, path);
    assert_true(authorities_changed(&authorities, path));
    assert_int_equal(authorities_read(&authorities, path, reason, sizeof reason), 0);
    assert_int_equal(authorities.length, 2 * strlen(BEGIN BODY END));
    unlink(path);
    authorities_changed(&authorities, path);
    assert_true(authorities_changed(&authorities, path));
    assert_int_equal(authorities_read(&authorities, "", reason, sizeof reason), 0);
    assert_int_equal(authorities.length, 0);
    authorities_finish(&authorities);
}

static void the_systems_own_are_a_file_or_a_store(void **state)
{
    (void)state;
    char reason[512];
    struct authorities authorities = { .pem = NULL };
    const char *file = authorities_of_system();
    if (!file) {
        assert_int_equal(authorities_read(&authorities, "system", reason, sizeof reason), 0);
        assert_true(authorities.in_store);
        assert_int_equal(authorities.length, 0);
    } else if (access(file, R_OK) == 0) {
        assert_int_equal(authorities_read(&authorities, "system", reason, sizeof reason), 0);
        assert_false(authorities.in_store);
        assert_true(authorities.length > 0);
    } else {
        assert_int_equal(authorities_read(&authorities, "system", reason, sizeof reason), -1);
        assert_non_null(strstr(reason, file));
    }
    assert_int_equal(authorities_read(&authorities, "", reason, sizeof reason), 0);
    assert_false(authorities.in_store);
    authorities_finish(&authorities);
}

UNIT_TESTS(
    TEST(the_systems_own_are_a_file_or_a_store),
    TEST(whole_files_are_told_from_cut_ones),
    TEST(a_change_counts_when_it_has_settled_and_a_broken_one_keeps_the_old))
