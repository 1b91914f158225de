/* Runs each test in a process of its own and says in TAP how it ended. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

#define SKIPPED 77
#define MOST_DESCRIPTORS 1024

unsigned unit_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < MOST_DESCRIPTORS; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

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
    _exit(SKIPPED);
}

/* In the child. cmocka's own TAP goes into the pipe, where it is only read after a failure. */
static int run_here(const struct unit_test *test)
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

static void run_child(const struct unit_test *test, int output)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    close(output);
    exit(run_here(test));
}

/* All that the child says; bounded, for what matters is its end. */
static size_t read_all(int fd, char *text, size_t size)
{
    size_t length = 0;
    ssize_t got;
    char rest[512];
    while (length < size - 1 && (got = read(fd, text + length, size - 1 - length)) > 0)
        length += (size_t)got;
    while (read(fd, rest, sizeof rest) > 0)
        ;
    text[length] = '\0';
    return length;
}

static void print_diagnosis(char *text)
{
    for (char *line; (line = strsep(&text, "\n"));)
        if (*line)
            printf("# %s\n", line);
}

static bool report(size_t number, const char *name, int status, char *output)
{
    bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    bool skipped = WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED;
    if (skipped)
        output[strcspn(output, "\n")] = '\0';
    printf("%sok %zu - %s%s%s\n", passed || skipped ? "" : "not ", number, name, skipped ? " # SKIP " : "",
           skipped ? output : "");
    if (!passed && !skipped)
        print_diagnosis(output);
    if (WIFSIGNALED(status))
        printf("# ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    return passed || skipped;
}

static bool run_apart(size_t number, const struct unit_test *test)
{
    static char output[64 * 1024];
    int ends[2], status = -1;
    fflush(stdout);
    if (pipe(ends) < 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        run_child(test, ends[1]);
    }
    close(ends[1]);
    read_all(ends[0], output, sizeof output);
    close(ends[0]);
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return false;
    return report(number, test->name, status, output);
}

int unit_run(const struct unit_test *tests, size_t count, const char *only)
{
    size_t failed = 0;
    signal(SIGPIPE, SIG_IGN);
    if (!only)
        printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        if (only && strcmp(only, tests[i].name) == 0)
            return run_here(&tests[i]);
        if (!only)
            failed += !run_apart(i + 1, &tests[i]);
    }
    if (only)
        fprintf(stderr, "there is no test %s\n", only);
    return only ? 2 : failed > 0;
}
