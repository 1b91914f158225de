/* Signals. */
#include "start.h"

#include <signal.h>

const char start_addresses[] = "unix:$XDG_RUNTIME_DIR/fetchd/fetchd.sock, then at unix:/run/fetchd/fetchd.sock";

void start_process(void)
{
    signal(SIGXFSZ, SIG_IGN);   /* a file that may not grow further is an error of write(), like a full disk */
}
