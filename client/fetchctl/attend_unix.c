/* Waiting by poll(). */
#include "attend.h"

#include "interrupt.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_OUT_OF_MEMORY 27

/* Without one nothing would ever end the wait. */
static int descriptor_of(struct fetchd_client *client)
{
    int fd = fetchd_fd(client);
    if (fd >= 0)
        return fd;
    fprintf(stderr, "fetchctl: (27) out_of_memory: no descriptor to wait for the daemon with: %s\n", strerror(errno));
    exit(EXIT_OUT_OF_MEMORY);
}

int attend(struct attend *what)
{
    struct pollfd waits[] = {
        { .fd = descriptor_of(what->client), .events = POLLIN },
        { .fd = what->input, .events = POLLIN },
        { .fd = what->interrupts ? interrupt_fd() : -1, .events = POLLIN },
    };
    int ready = poll(waits, sizeof waits / sizeof waits[0], what->timeout_ms);
    what->has_input = ready > 0 && waits[1].revents;
    what->has_interrupt = ready > 0 && waits[2].revents;
    return ready < 0 ? -1 : ready > 0;
}

void attend_clients(struct fetchd_client *const *clients, size_t count, bool *ret_ready)
{
    struct pollfd waits[ATTEND_MOST];
    for (size_t i = 0; i < count; i++)
        waits[i] = (struct pollfd){ .fd = descriptor_of(clients[i]), .events = POLLIN };
    poll(waits, (nfds_t)count, -1);
    for (size_t i = 0; i < count; i++)
        ret_ready[i] = waits[i].revents != 0;
}

bool attend_readable(int fd)
{
    struct pollfd source = { .fd = fd, .events = POLLIN };
    return poll(&source, 1, 0) > 0;
}

void attend_time(int timeout_ms)
{
    poll(NULL, 0, timeout_ms);
}
