/* A signal becomes a byte in a pipe. */
#include "interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static int ends[2] = { -1, -1 };

static void on_signal(int number)
{
    int saved = errno;
    char byte = (char)number;
    ssize_t written = write(ends[1], &byte, 1);
    (void)written;
    errno = saved;
}

int interrupt_catch(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };
    sigemptyset(&action.sa_mask);
    if (pipe(ends) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        fcntl(ends[i], F_SETFL, O_NONBLOCK);
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return 0;
}

int interrupt_fd(void)
{
    return ends[0];
}

void interrupt_end(int number)
{
    raise(number);
}

int interrupt_take(void)
{
    char number;
    return ends[0] >= 0 && read(ends[0], &number, 1) == 1 ? number : 0;
}
