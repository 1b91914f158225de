/* A process for each test, by fork. */
#include "unit_platform.h"

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

#define MOST_DESCRIPTORS 1024

void unit_prepare(void)
{
    signal(SIGPIPE, SIG_IGN);
}

unsigned unit_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < MOST_DESCRIPTORS; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

void unit_pipe(int ret_ends[2])
{
    assert_int_equal(pipe(ret_ends), 0);
}

void unit_make_folder(char ret_path[UNIT_PATH_BYTES])
{
    strcpy(ret_path, "/tmp/fetchd-unit-XXXXXX");
    assert_non_null(mkdtemp(ret_path));
}

static void run_child(const struct unit_test *test, int output)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    close(output);
    exit(unit_run_here(test));
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

static void read_status(int status, struct unit_end *ret_end)
{
    ret_end->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (WIFSIGNALED(status))
        snprintf(ret_end->crash, sizeof ret_end->crash, "signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
}

bool unit_run_apart(const struct unit_test *test, char *output, size_t size, struct unit_end *ret_end)
{
    int ends[2], status = -1;
    if (pipe(ends) < 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        run_child(test, ends[1]);
    }
    close(ends[1]);
    read_all(ends[0], output, size);
    close(ends[0]);
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return false;
    read_status(status, ret_end);
    return true;
}
