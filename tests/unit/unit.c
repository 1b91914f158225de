/* Runs each test in a process of its own and says in TAP how it ended. */
#include "unit_platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void unit_copy(char *ret_text, size_t size, const void *data, size_t length)
{
    size_t copied = length < size - 1 ? length : size - 1;
    if (copied > 0)
        memcpy(ret_text, data, copied);
    ret_text[copied] = '\0';
}

void unit_skip(const char *reason)
{
    printf("%s\n", reason);
    fflush(stdout);
    _exit(UNIT_SKIPPED);
}

/* In the child. cmocka's own TAP goes into the pipe, where it is only read after a failure. */
int unit_run_here(const struct unit_test *test)
{
    const struct CMUnitTest tests[] = { { test->name, test->run, NULL, NULL, NULL } };
    unsigned before = unit_descriptors();
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed = cmocka_run_group_tests_name(test->name, tests, NULL, NULL);
    unsigned after = unit_descriptors();
    if (!failed && after != before)
        printf("%u descriptors were open before, %u are now\n", before, after);
    return failed || after != before;
}

static void print_diagnosis(char *text)
{
    for (char *line; (line = strsep(&text, "\n"));)
        if (*line)
            printf("# %s\n", line);
}

static bool report(size_t number, const char *name, const struct unit_end *end, char *output)
{
    bool passed = end->code == 0, skipped = end->code == UNIT_SKIPPED;
    if (skipped)
        output[strcspn(output, "\r\n")] = '\0';
    printf("%sok %zu - %s%s%s\n", passed || skipped ? "" : "not ", number, name, skipped ? " # SKIP " : "",
           skipped ? output : "");
    if (!passed && !skipped)
        print_diagnosis(output);
    if (end->crash[0])
        printf("# ended by %s\n", end->crash);
    return passed || skipped;
}

static bool run_one(size_t number, const struct unit_test *test)
{
    static char output[64 * 1024];
    struct unit_end end = { .code = -1 };
    fflush(stdout);
    return unit_run_apart(test, output, sizeof output, &end) && report(number, test->name, &end, output);
}

int unit_run(const struct unit_test *tests, size_t count, const char *only)
{
    size_t failed = 0;
    unit_prepare();
    if (!only)
        printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        if (only && strcmp(only, tests[i].name) == 0)
            return unit_run_here(&tests[i]);
        if (!only)
            failed += !run_one(i + 1, &tests[i]);
    }
    if (only)
        fprintf(stderr, "there is no test %s\n", only);
    return only ? 2 : failed > 0;
}
