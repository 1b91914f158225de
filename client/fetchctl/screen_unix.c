/* The terminal: termios and signals. */
#include "screen_platform.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static struct termios before;
static bool has_keys;            /* stdin is a terminal, too */
static int signal_pipe[2] = { -1, -1 };

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH };

static void on_signal(int number)
{
    int saved = errno;
    char byte = (char)number;
    ssize_t written = write(signal_pipe[1], &byte, 1);
    (void)written;
    errno = saved;
}

static void handle_signals(void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler };
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaction(signals[i], &action, NULL);
}

static void take_terminal(void)
{
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (has_keys)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    screen_show(true);
}

static void give_terminal(void)
{
    screen_show(false);
    if (has_keys)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

int screen_enter(void)
{
    if (pipe(signal_pipe) < 0)
        return -1;
    for (int i = 0; i < 2; i++)
        fcntl(signal_pipe[i], F_SETFL, O_NONBLOCK);
    has_keys = tcgetattr(STDIN_FILENO, &before) == 0;
    handle_signals(on_signal);
    take_terminal();
    return 0;
}

void screen_leave(void)
{
    give_terminal();
    handle_signals(SIG_DFL);
    close(signal_pipe[0]);
    close(signal_pipe[1]);
}

/* ---- waiting ---- */

/* Ctrl-Z: the shell gets its terminal back, and we get it again with fg. */
static void stop(void)
{
    give_terminal();
    raise(SIGSTOP);
    take_terminal();
}

static enum screen_key take_signal(void)
{
    char number;
    if (read(signal_pipe[0], &number, 1) != 1)
        return SCREEN_TIME;
    if (number == SIGTSTP)
        stop();
    return number == SIGTSTP || number == SIGWINCH ? SCREEN_REDRAW : SCREEN_QUIT;
}

static enum screen_key take_key(void)
{
    char key;
    ssize_t got = read(STDIN_FILENO, &key, 1);
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
        has_keys = false;
    return got == 1 && (key == 'q' || key == 'Q') ? SCREEN_QUIT : SCREEN_TIME;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum screen_key screen_wait(int timeout_ms)
{
    int64_t end_ms = now_ms() + timeout_ms, left;
    enum screen_key key = SCREEN_TIME;
    while (key == SCREEN_TIME && (left = end_ms - now_ms()) > 0) {
        struct pollfd waits[2] = { { .fd = signal_pipe[0], .events = POLLIN },
                                   { .fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN } };
        if (poll(waits, 2, (int)left) <= 0)
            continue;
        if (waits[0].revents)
            key = take_signal();
        if (key == SCREEN_TIME && waits[1].revents)
            key = take_key();
    }
    return key;
}
