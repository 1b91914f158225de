/* Ctrl-C (and SIGTERM, on Windows Ctrl-Break and the closed window) as something to wait for, so that a program that
 * waits ends as it should.
 * The first one is told; after it the signal is the system's again, and a second one ends the
 * program at once. */
#ifndef FETCHCTL_INTERRUPT_H
#define FETCHCTL_INTERRUPT_H

/* 0, or -1 with errno. */
int interrupt_catch(void);

/* Unix: readable when a signal came; -1 before interrupt_catch(). Windows: an event that is set then. */
int interrupt_fd(void);
void *interrupt_event(void);

/* The signal that came, once; 0 for none. */
int interrupt_take(void);

/* Ends the program as that signal would have, so that who waits for us sees why. It may return. */
void interrupt_end(int number);

#endif
