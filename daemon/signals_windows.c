/* A console's events, which libuv tells as signals. SIGHUP is the window being closed: Windows ends us some
 * seconds later. */
#include "signals.h"

#include <uv.h>

const struct signal_meaning signal_meanings[SIGNALS] = {
    { SIGINT, false }, { SIGBREAK, false }, { SIGHUP, false },
};

void signals_ignore(void)
{
}
