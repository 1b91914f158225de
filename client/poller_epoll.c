/* The one descriptor, as an epoll set of one. */
#include "poller.h"

#include <sys/epoll.h>
#include <unistd.h>

void poller_init(struct poller *poller)
{
    *poller = (struct poller){ .fd = -1, .watched = -1 };
}

void poller_finish(struct poller *poller)
{
    if (poller->fd >= 0)
        close(poller->fd);
    poller_init(poller);
}

int poller_open(struct poller *poller)
{
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    return poller->fd < 0 ? -1 : 0;
}

void poller_watch(struct poller *poller, int socket, bool writing)
{
    if (poller->fd < 0 || (poller->watched == socket && poller->writing == writing))
        return;
    struct epoll_event event = { .events = writing ? EPOLLIN | EPOLLOUT : EPOLLIN };
    if (poller->watched == socket) {
        epoll_ctl(poller->fd, EPOLL_CTL_MOD, socket, &event);
    } else {
        poller_forget(poller);
        if (socket >= 0)
            epoll_ctl(poller->fd, EPOLL_CTL_ADD, socket, &event);
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
