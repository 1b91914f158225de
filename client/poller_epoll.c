/* The one descriptor, as an epoll set of one. */
#include "poller.h"

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

void poller_init(struct poller *poller, struct wire *wire)
{
    *poller = (struct poller){ .wire = wire, .fd = -1, .watched = -1, .bell = -1 };
}

void poller_finish(struct poller *poller)
{
    if (poller->fd >= 0)
        close(poller->fd);
    if (poller->bell >= 0)
        close(poller->bell);
    poller_init(poller, poller->wire);
}

int poller_open(struct poller *poller)
{
    struct epoll_event event = { .events = EPOLLIN };
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    poller->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (poller->fd >= 0 && poller->bell >= 0
        && epoll_ctl(poller->fd, EPOLL_CTL_ADD, poller->bell, &event) == 0)
        return 0;
    poller_finish(poller);
    return -1;
}

void poller_watch(struct poller *poller)
{
    int socket = poller->wire->fd;
    bool writing = poller->wire->out_full;
    if (poller->fd < 0 || (poller->watched == socket && poller->writing == writing))
        return;
    struct epoll_event event = { .events = writing ? EPOLLIN | EPOLLOUT : EPOLLIN };
    int operation = poller->watched == socket ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (operation == EPOLL_CTL_ADD)
        poller_forget(poller);
    if (socket >= 0 && epoll_ctl(poller->fd, operation, socket, &event) < 0) {
        poller_ring(poller);   /* so that it is tried again soon */
        return;
    }
    poller->watched = socket;
    poller->writing = writing;
}

void poller_forget(struct poller *poller)
{
    if (poller->fd >= 0 && poller->watched >= 0)
        epoll_ctl(poller->fd, EPOLL_CTL_DEL, poller->watched, NULL);
    poller->watched = -1;
    poller->writing = false;
}

void poller_ring(struct poller *poller)
{
    const uint64_t one = 1;
    if (poller->fd >= 0 && !poller->rung)
        poller->rung = write(poller->bell, &one, sizeof one) == (ssize_t)sizeof one;
}

void poller_quiet(struct poller *poller)
{
    uint64_t count;
    if (poller->rung && poller->watched == poller->wire->fd)
        poller->rung = read(poller->bell, &count, sizeof count) != (ssize_t)sizeof count;
}
