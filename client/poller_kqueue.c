/* The one descriptor, as a kqueue of one socket. */
#include "poller.h"

#include <sys/types.h>
#include <sys/event.h>
#include <sys/time.h>
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
    poller->fd = kqueue();
    return poller->fd < 0 ? -1 : 0;
}

static void change(struct poller *poller, int socket, short filter, unsigned short flags)
{
    struct kevent event;
    EV_SET(&event, (uintptr_t)socket, filter, flags, 0, 0, NULL);
    kevent(poller->fd, &event, 1, NULL, 0, NULL);
}

void poller_watch(struct poller *poller, int socket, bool writing)
{
    if (poller->fd < 0 || (poller->watched == socket && poller->writing == writing))
        return;
    if (poller->watched != socket) {
        poller_forget(poller);
        if (socket >= 0)
            change(poller, socket, EVFILT_READ, EV_ADD);
    }
    if (socket >= 0 && writing != poller->writing)
        change(poller, socket, EVFILT_WRITE, writing ? EV_ADD : EV_DELETE);
    poller->watched = socket;
    poller->writing = writing;
}

void poller_forget(struct poller *poller)
{
    if (poller->fd >= 0 && poller->watched >= 0) {
        change(poller, poller->watched, EVFILT_READ, EV_DELETE);
        if (poller->writing)
            change(poller, poller->watched, EVFILT_WRITE, EV_DELETE);
    }
    poller->watched = -1;
    poller->writing = false;
}
