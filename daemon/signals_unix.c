/* A service's signals, and those of a terminal. */
#include "signals.h"

#include <signal.h>

const struct signal_meaning signal_meanings[SIGNALS] = {
    { SIGTERM, false }, { SIGINT, false }, { SIGHUP, true },
};

void signals_ignore(void)
{
    signal(SIGPIPE, SIG_IGN);
}
