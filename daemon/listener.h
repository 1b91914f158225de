/* The local endpoint: binds it safely, accepts. Knows no message. */
#ifndef DAEMON_LISTENER_H
#define DAEMON_LISTENER_H

#include <stdbool.h>
#include <uv.h>

#define LISTENER_ERROR_BYTES 512

struct listener {
    uv_poll_t poll;
    uv_timer_t pause;    /* after running out of descriptors */
    int fd, lock_fd;
    bool open, inherited;
    char *path;          /* to unlink when we stop; NULL for an inherited socket */
    void (*on_accept)(void *owner, int fd);
    void *owner;
};

/* Binds `address` and listens. The socket's folder must belong to us or to root and be writable by
 * nobody else; a missing last folder is made with mode 0700. A stale socket is removed only under
 * the lock beside it and after nobody answered there. `mode` is octal text, `group` may be empty.
 * 0, or -1 with a sentence that says what to do. */
int listener_open(struct listener *listener, uv_loop_t *loop, const char *address, const char *mode,
                  const char *group, void (*on_accept)(void *owner, int fd), void *owner,
                  char ret_error[LISTENER_ERROR_BYTES]);

/* Listens on a socket that was bound by who started us (systemd). 0 or -1 as above. */
int listener_adopt(struct listener *listener, uv_loop_t *loop, int fd, void (*on_accept)(void *owner, int fd),
                   void *owner, char ret_error[LISTENER_ERROR_BYTES]);

/* Stops accepting, removes the socket. Its handles close in the loop. */
void listener_close(struct listener *listener);

/* After the loop ended. */
void listener_finish(struct listener *listener);

#endif
