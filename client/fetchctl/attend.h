/* What a command waits for: the daemon, an input, Ctrl-C, time. */
#ifndef FETCHCTL_ATTEND_H
#define FETCHCTL_ATTEND_H

#include <fetchd/client.h>

#include <stdbool.h>
#include <stddef.h>

/* Waiting for more clients than this at once is not possible. */
#ifdef _WIN32
#define ATTEND_MOST 64
#else
#define ATTEND_MOST 1024
#endif

struct attend {
    struct fetchd_client *client;
    int input;                 /* a descriptor that shall be read; -1: none */
    bool interrupts;           /* after interrupt_catch() */
    int timeout_ms;            /* -1: as long as it takes */
    bool has_input;            /* after attend(): reading does not wait */
    bool has_interrupt;        /* ... and interrupt_take() has something */
};

/* Waits until something of it is there: 1; 0 when the time is over, -1 after a signal. */
int attend(struct attend *what);

/* Waits until fetchd_process() has something to do for one of the clients, and tells for which. */
void attend_clients(struct fetchd_client *const *clients, size_t count, bool *ret_ready);

/* True when reading this descriptor does not wait. */
bool attend_readable(int fd);

void attend_time(int timeout_ms);

#endif
