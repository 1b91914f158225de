/* What every unit test begins with: cmocka's asserts, TAP, and each test in a process of its own,
 * so that a crash, a leak (under a sanitizer) or a descriptor left open is that test's own failure.
 *
 *     static void a_claim_about_the_code(void **state) { ... }
 *     UNIT_TESTS(TEST(a_claim_about_the_code), TEST(another))
 *
 * `test_x NAME` runs one test in the process itself, for a debugger. */
#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct unit_test { const char *name; void (*run)(void **state); };

#define TEST(function) { #function, function }
#define UNIT_TESTS(...) UNIT_TESTS_AFTER(0, __VA_ARGS__)

/* `expression` comes first, in the parent: for what a library opens once and keeps. */
#define UNIT_TESTS_AFTER(expression, ...)                                           \
    int main(int argc, char **argv)                                                 \
    {                                                                               \
        static const struct unit_test tests[] = { __VA_ARGS__ };                    \
        (void)(expression);                                                         \
        return unit_run(tests, sizeof tests / sizeof tests[0], argc > 1 ? argv[1] : NULL); \
    }

/* libuv keeps a pipe for signals from the first loop on. */
#define UV_TESTS(...) UNIT_TESTS_AFTER(uv_loop_close(uv_default_loop()), __VA_ARGS__)

int unit_run(const struct unit_test *tests, size_t count, const char *only);

/* Ends a test that can't run here; counted as skipped, with the reason. */
void unit_skip(const char *reason) __attribute__((noreturn));

/* Both ends of a pipe, for bytes. */
void unit_pipe(int ret_ends[2]);

/* Makes a folder of its own. */
#define UNIT_PATH_BYTES 300
void unit_make_folder(char ret_path[UNIT_PATH_BYTES]);

/* Open descriptors of this process. */
unsigned unit_descriptors(void);

#define assert_text_equal(text, string)                                             \
    do {                                                                            \
        char text_copy_[4096];                                                      \
        unit_copy(text_copy_, sizeof text_copy_, (text).data, (text).length);       \
        assert_string_equal(text_copy_, string);                                    \
    } while (0)

/* Bytes that may not be NUL-terminated, or NULL and 0, as a string. */
void unit_copy(char *ret_text, size_t size, const void *data, size_t length);

#endif
