/* libcurl's FTP waits in the middle of its event interface: for TLS handshakes and for a server's last word. The
 * daemon gives a worker that does FTP nothing else to do (daemon/crew.h), so that nobody is held up; but such a
 * worker must still beat, and keep its request's deadlines. */
#ifndef WORKER_FTPWAIT_H
#define WORKER_FTPWAIT_H

#include <stdbool.h>

/* Called about ten times a second during such a wait, from within libcurl: `waits` must not call libcurl's multi
 * interface. Returns true when the wait is to end at once, as failed. */
void ftpwait_set(bool (*waits)(void *context), void *context);

#endif
