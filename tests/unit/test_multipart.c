/* fetchctl/multipart.c and body.c: forms from -F, bodies in pieces. */
#include "client/fetchctl/multipart.h"
#include "client/formdata.h"

#include "client/fetchctl/options.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES (UNIT_PATH_BYTES + 32)

static char folder[UNIT_PATH_BYTES];

static void make_file(const char *name, const char *content, char *ret_path)
{
    if (!folder[0])
        unit_make_folder(folder);
    snprintf(ret_path, PATH_BYTES, "%s/%s", folder, name);
    FILE *file = fopen(ret_path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void remove_file(const char *path)
{
    unlink(path);
    rmdir(folder);
}

/* The whole body, read in pieces of `step` bytes. */
static char *read_all(struct body *body, size_t step)
{
    struct text text = { 0 };
    char buffer[256];
    ssize_t got;
    while ((got = body_read(body, buffer, step)) > 0)
        text_add(&text, buffer, (size_t)got);
    assert_int_equal(got, 0);
    return text_take(&text);
}

static void expect_form(const char *form, const char *expected)
{
    struct body body;
    char *items[] = { (char *)(uintptr_t)form };
    struct strings forms = { items, 1 };
    body_init(&body);
    assert_int_equal(multipart_build(&body, &forms, "B"), 0);
    char *text = read_all(&body, 7);
    assert_string_equal(text, expected);
    assert_int_equal(body.length, strlen(expected));
    free(text);
    body_finish(&body);
}

static void expect_refused(const char *form, int code)
{
    struct body body;
    char *items[] = { (char *)(uintptr_t)form };
    struct strings forms = { items, 1 };
    body_init(&body);
    assert_int_equal(multipart_build(&body, &forms, "B"), code);
    body_finish(&body);
}

#define BEGIN "--B\r\nContent-Disposition: form-data; name="
#define END "\r\n--B--\r\n"

static void values_are_taken_as_they_are(void **state)
{
    (void)state;
    expect_form("a=b", BEGIN "\"a\"\r\n\r\nb" END);
    expect_form("a=", BEGIN "\"a\"\r\n\r\n" END);
    expect_form("a=b=c", BEGIN "\"a\"\r\n\r\nb=c" END);
    expect_form("a=b;type=text/x", BEGIN "\"a\"\r\nContent-Type: text/x\r\n\r\nb" END);
    expect_form("a=\"b;type=c\"", BEGIN "\"a\"\r\n\r\nb;type=c" END);
    expect_form("a=\"q\\\"\\\\\";filename=f", BEGIN "\"a\"; filename=\"f\"\r\n\r\nq\"\\" END);
}

static void names_can_t_break_the_header(void **state)
{
    (void)state;
    expect_form("a\"\r\nX: 1=b", BEGIN "\"a%22%0D%0AX: 1\"\r\n\r\nb" END);
    expect_form("a=b;filename=\"c\r\nd\\\"\"", BEGIN "\"a\"; filename=\"c%0D%0Ad%22\"\r\n\r\nb" END);
    expect_form("a=b;type=\"text/x\r\nX: 1\"", BEGIN "\"a\"\r\nContent-Type: text/x\r\n\r\nb" END);
}

static void files_have_a_name_and_a_type(void **state)
{
    (void)state;
    char path[PATH_BYTES], form[PATH_BYTES + 100];
    make_file("page.HTML", "<p>", path);
    snprintf(form, sizeof form, "f=@%s", path);
    expect_form(form, BEGIN "\"f\"; filename=\"page.HTML\"\r\nContent-Type: text/html\r\n\r\n<p>" END);
    snprintf(form, sizeof form, "f=@\"%s\";type=x/y;filename=z", path);
    expect_form(form, BEGIN "\"f\"; filename=\"z\"\r\nContent-Type: x/y\r\n\r\n<p>" END);
    snprintf(form, sizeof form, "f=<%s", path);
    expect_form(form, BEGIN "\"f\"\r\n\r\n<p>" END);
    remove_file(path);
    expect_refused(form, EXIT_READ);
}

static void what_is_no_form_is_refused(void **state)
{
    (void)state;
    static const char *const forms[] = { "", "a", "=b", "a=b;colour=red", "a=\"b\"c", "a=@b,c" };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        expect_refused(forms[i], EXIT_USAGE);
}

static void boundaries_differ(void **state)
{
    (void)state;
    char one[FORMDATA_BOUNDARY_BYTES], two[FORMDATA_BOUNDARY_BYTES];
    assert_int_equal(formdata_boundary(one), 0);
    assert_int_equal(formdata_boundary(two), 0);
    assert_int_equal(strlen(one), 46);
    assert_string_not_equal(one, two);
}

static void a_body_is_read_again_from_its_start(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    struct body body;
    make_file("f", "file", path);
    body_init(&body);
    body_add_memory(&body, "before ", 7);
    assert_int_equal(body_add_file(&body, path), 0);
    body_add_memory(&body, "", 0);
    body_add_memory(&body, " after", 6);
    assert_int_equal(body.length, 17);
    for (size_t step = 1; step < 20; step += 6) {
        char *text = read_all(&body, step);
        assert_string_equal(text, "before file after");
        free(text);
        assert_int_equal(body_wait_fd(&body), -1);
        assert_int_equal(body_rewind(&body), 0);
    }
    body_finish(&body);
    remove_file(path);
}

static void a_file_that_became_shorter_is_an_error_and_one_that_grew_is_cut(void **state)
{
    (void)state;
    char path[PATH_BYTES], buffer[32];
    struct body body;
    make_file("f", "12345", path);
    body_init(&body);
    assert_int_equal(body_add_file(&body, path), 0);
    make_file("f", "123456789", path);
    char *text = read_all(&body, 32);
    assert_string_equal(text, "12345");
    free(text);
    assert_int_equal(body_rewind(&body), 0);
    assert_int_equal(truncate(path, 3), 0);
    assert_int_equal(body_read(&body, buffer, sizeof buffer), 3);
    assert_int_equal(body_read(&body, buffer, sizeof buffer), -1);
    assert_int_equal(errno, EIO);
    body_finish(&body);
    remove_file(path);
}

static void what_is_no_file_can_t_be_sent(void **state)
{
    (void)state;
    struct body body;
    body_init(&body);
    assert_int_equal(body_add_file(&body, "/tmp"), -1);
    assert_true(errno == EISDIR || errno == EACCES);   /* what Windows says of a folder */
    assert_int_equal(body_add_file(&body, "/nonexistent/f"), -1);
    assert_int_equal(body.count, 0);
    body_finish(&body);
}

UNIT_TESTS(TEST(values_are_taken_as_they_are), TEST(names_can_t_break_the_header),
           TEST(files_have_a_name_and_a_type), TEST(what_is_no_form_is_refused), TEST(boundaries_differ),
           TEST(a_body_is_read_again_from_its_start),
           TEST(a_file_that_became_shorter_is_an_error_and_one_that_grew_is_cut),
           TEST(what_is_no_file_can_t_be_sent))
