/* One descriptor that is readable when a socket is readable, or writable while that is asked: so an
 * application watches the same one for the life of its client, whatever socket is behind it. */
#ifndef CLIENT_POLLER_H
#define CLIENT_POLLER_H

#include <stdbool.h>

struct poller {
    int fd;           /* -1: nobody asked for one */
    int watched;      /* the socket, -1 for none */
    bool writing;
    int bell;         /* -1, or what makes it readable without a socket */
    bool rung;
};

void poller_init(struct poller *poller);
void poller_finish(struct poller *poller);

/* 0, or -1 without descriptors. */
int poller_open(struct poller *poller);

/* Watches `socket` (-1 for none); nothing happens when all is as it was. */
void poller_watch(struct poller *poller, int socket, bool writing);

/* The socket is about to be closed. */
void poller_forget(struct poller *poller);

/* Makes it readable, whatever the socket does, until it is quiet again. */
void poller_ring(struct poller *poller);
void poller_quiet(struct poller *poller);

#endif
