/* form.c: multipart forms by libfetchd's public functions. */
#include "fetchd/client.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/fetchd-form-XXXXXX";

static void make_file(const char *content)
{
    strcpy(path, "/tmp/fetchd-form-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
}

static void read_form(struct fetchd_form *form, size_t step, char *ret_text, size_t size)
{
    size_t length = 0;
    int64_t got;
    while ((got = fetchd_form_read(form, ret_text + length, step < size - length ? step : size - length)) > 0)
        length += (size_t)got;
    assert_int_equal(got, 0);
    assert_in_range(length, 0, size - 1);
    ret_text[length] = '\0';
}

static void values_and_files_stand_between_boundaries(void **state)
{
    (void)state;
    make_file("from a file");
    struct fetchd_part parts[] = {
        { .name = "a\"b", .data = "value", .size = 5 },
        { .name = "file", .path = path, .filename = "x.png" },
        { .name = "json", .data = "{}", .size = 2, .type = "application/json" },
    };
    struct fetchd_form *form = fetchd_form_open(parts, 3);
    assert_non_null(form);
    assert_memory_equal(fetchd_form_type(form), "multipart/form-data; boundary=", 30);
    const char *boundary = fetchd_form_type(form) + 30;
    char expected[2048], got[2048];
    snprintf(expected, sizeof expected,
             "--%s\r\nContent-Disposition: form-data; name=\"a%%22b\"\r\n\r\nvalue\r\n"
             "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.png\"\r\n"
             "Content-Type: image/png\r\n\r\nfrom a file\r\n"
             "--%s\r\nContent-Disposition: form-data; name=\"json\"\r\nContent-Type: application/json\r\n\r\n{}\r\n"
             "--%s--\r\n", boundary, boundary, boundary, boundary);
    for (size_t step = 1; step < 4096; step = step * 7 + 1) {
        read_form(form, step, got, sizeof got);
        assert_string_equal(got, expected);
        assert_int_equal(fetchd_form_rewind(form), 0);
    }
    assert_int_equal(fetchd_form_size(form), strlen(expected));
    fetchd_form_close(form);
    unlink(path);
}

static void a_file_that_is_not_there_is_told(void **state)
{
    (void)state;
    struct fetchd_part part = { .name = "f", .path = "/no/such/file" };
    assert_null(fetchd_form_open(&part, 1));
    assert_int_equal(errno, ENOENT);
    part.path = "/tmp";
    assert_null(fetchd_form_open(&part, 1));
    assert_true(errno == EISDIR || errno == EACCES);   /* what Windows says of a folder */
    fetchd_form_close(NULL);
}

static void a_file_that_became_shorter_is_no_end(void **state)
{
    (void)state;
    char buffer[1024];
    int64_t got;
    make_file("some bytes");
    struct fetchd_part part = { .name = "f", .path = path };
    struct fetchd_form *form = fetchd_form_open(&part, 1);
    assert_non_null(form);
    assert_int_equal(truncate(path, 4), 0);
    while ((got = fetchd_form_read(form, buffer, sizeof buffer)) > 0)
        ;
    assert_int_equal(got, -1);
    assert_int_equal(errno, EIO);
    fetchd_form_close(form);
    unlink(path);
}

UNIT_TESTS(TEST(values_and_files_stand_between_boundaries), TEST(a_file_that_is_not_there_is_told),
           TEST(a_file_that_became_shorter_is_no_end))
