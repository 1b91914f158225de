/* Ctrl-C (and SIGTERM) as a descriptor, so that a program that waits in poll() ends as it should.
 * The first one is told; after it the signal is the system's again, and a second one ends the
 * program at once. */
#ifndef FETCHCTL_INTERRUPT_H
#define FETCHCTL_INTERRUPT_H

/* 0, or -1 with errno. */
int interrupt_catch(void);

/* Readable when a signal came; -1 before interrupt_catch(). */
int interrupt_fd(void);

/* The signal that came, once; 0 for none. */
int interrupt_take(void);

#endif
