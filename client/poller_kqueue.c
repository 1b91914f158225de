/* The one descriptor, as a kqueue of one socket. */
#include "poller.h"

#include <sys/types.h>
#include <sys/event.h>
#include <sys/time.h>
#include <unistd.h>

void poller_init(struct poller *poller, struct wire *wire)
{
    *poller = (struct poller){ .wire = wire, .fd = -1, .watched = -1, .bell = -1 };
}

void poller_finish(struct poller *poller)
{
    if (poller->fd >= 0)
        close(poller->fd);
    poller_init(poller, poller->wire);
}

static void change(struct poller *poller, int ident, short filter, unsigned short flags, unsigned notes)
{
    struct kevent event;
    EV_SET(&event, (uintptr_t)ident, filter, flags, notes, 0, NULL);
    kevent(poller->fd, &event, 1, NULL, 0, NULL);
}

int poller_open(struct poller *poller)
{
    poller->fd = kqueue();
    if (poller->fd < 0)
        return -1;
    change(poller, 0, EVFILT_USER, EV_ADD, 0);
    return 0;
}

void poller_watch(struct poller *poller)
{
    int socket = poller->wire->fd;
    bool writing = poller->wire->out_full;
    if (poller->fd < 0 || (poller->watched == socket && poller->writing == writing))
        return;
    if (poller->watched != socket) {
        poller_forget(poller);
        if (socket >= 0)
            change(poller, socket, EVFILT_READ, EV_ADD, 0);
    }
    if (socket >= 0 && writing != poller->writing)
        change(poller, socket, EVFILT_WRITE, writing ? EV_ADD : EV_DELETE, 0);
    poller->watched = socket;
    poller->writing = writing;
}

void poller_forget(struct poller *poller)
{
    if (poller->fd >= 0 && poller->watched >= 0) {
        change(poller, poller->watched, EVFILT_READ, EV_DELETE, 0);
        if (poller->writing)
            change(poller, poller->watched, EVFILT_WRITE, EV_DELETE, 0);
    }
    poller->watched = -1;
    poller->writing = false;
}

void poller_ring(struct poller *poller)
{
    if (poller->fd < 0 || poller->rung)
        return;
    change(poller, 0, EVFILT_USER, 0, NOTE_TRIGGER);
    poller->rung = true;
}

/* Deleting and adding again is how a user event that nobody fetched is taken back. */
void poller_quiet(struct poller *poller)
{
    if (!poller->rung)
        return;
    change(poller, 0, EVFILT_USER, EV_DELETE, 0);
    change(poller, 0, EVFILT_USER, EV_ADD, 0);
    poller->rung = false;
}
