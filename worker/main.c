/* fetchd-worker: fetches what its daemon asks for over standard input. Not for people to start. */
#include "log.h"
#include "memory.h"
#include "vitals.h"
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL_FD 0

/* Not on the stack: it is large, and what it points to is in use until the very end. */
static struct worker worker;

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("fetchd-worker %s (%s)\n", FETCHD_VERSION, curl_version());
        return 0;
    }
    if (argc > 1) {
        fprintf(stderr, "fetchd-worker is started by fetchd and takes no arguments but --version\n");
        return 2;
    }
    /* Its calls would pass by the filter of system calls. */
    uv_os_setenv("UV_USE_IO_URING", "0");
    uv_os_unsetenv("SSLKEYLOGFILE");   /* libcurl would write every session's keys there */
    vitals_prepare();
    if (memory_start_curl() != CURLE_OK) {
        log_line(LOG_LEVEL_ERROR, "libcurl does not start");
        return WORKER_EXIT_BREACH;
    }
    if (worker_open(&worker, CHANNEL_FD) < 0)
        return WORKER_EXIT_BREACH;
    /* No tidying up: connections end with the process, and the daemon waits for none of it. */
    return worker_run(&worker);
}
