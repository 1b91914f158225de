/* One descriptor that is readable when the wire can be read from, or written to while that is due: so an
 * application watches the same one for the life of its client, whatever connection is behind it. On Windows an event
 * that is set then. */
#ifndef CLIENT_POLLER_H
#define CLIENT_POLLER_H

#include "wire.h"

#include <stdbool.h>

struct poller {
    struct wire *wire;
    int fd;           /* -1: nobody asked for one */
    int watched;      /* the socket, -1 for none */
    bool writing;
    int bell;         /* -1, or what makes it readable without a socket */
    bool rung;
};

void poller_init(struct poller *poller, struct wire *wire);
void poller_finish(struct poller *poller);

/* 0, or -1 without descriptors. */
int poller_open(struct poller *poller);

/* Looks at the wire's connection and what it wants; nothing happens when all is as it was. */
void poller_watch(struct poller *poller);

/* The connection is about to be closed. */
void poller_forget(struct poller *poller);

/* Makes it readable, whatever the wire does, until it is quiet again. */
void poller_ring(struct poller *poller);
void poller_quiet(struct poller *poller);

#endif
