/* The wire's own event is what a program waits for. */
#include "poller.h"

#include "pipe_windows.h"

void poller_init(struct poller *poller, struct wire *wire)
{
    *poller = (struct poller){ .wire = wire, .fd = -1, .watched = -1, .bell = -1 };
}

void poller_finish(struct poller *poller)
{
    poller_init(poller, poller->wire);
}

int poller_open(struct poller *poller)
{
    return pipe_make(poller->wire);
}

void poller_watch(struct poller *poller)
{
    (void)poller;
}

void poller_forget(struct poller *poller)
{
    (void)poller;
}

void poller_ring(struct poller *poller)
{
    pipe_ring(poller->wire, true);
}

void poller_quiet(struct poller *poller)
{
    pipe_ring(poller->wire, false);
}
