/* What asks the daemon to drain or to reload from outside, besides clients and a service manager. */
#ifndef DAEMON_SIGNALS_H
#define DAEMON_SIGNALS_H

#include <stdbool.h>

#define SIGNALS 3

/* THE table: what each signal means here. */
extern const struct signal_meaning { int number; bool reloads; } signal_meanings[SIGNALS];

/* At start: those that must not end us. */
void signals_ignore(void);

#endif
