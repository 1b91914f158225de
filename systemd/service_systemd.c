/* systemd: readiness, status, watchdog (sd_notify(3)) and socket activation (sd_listen_fds(3)). Each
 * does nothing when systemd did not start us. */
#include "daemon/service.h"

#include <stdio.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <time.h>

void service_ready(const char *status)
{
    sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void service_status(const char *status)
{
    sd_notifyf(0, "STATUS=%s", status);
}

/* Type=notify-reload wants to see that the reload began after its signal. */
void service_reloading(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
               (long long)now.tv_sec * 1000000 + (long long)now.tv_nsec / 1000);
}

void service_stopping(void)
{
    sd_notify(0, "STOPPING=1\nSTATUS=draining");
}

void service_alive(void)
{
    sd_notify(0, "WATCHDOG=1");
}

/* The journal reads stderr. */
void service_log(int level, const char *text)
{
    (void)level;
    (void)text;
}

void service_keep_log(const char *file, uint64_t limit_bytes)
{
    (void)file;
    (void)limit_bytes;
}

int service_inherited_socket(void)
{
    if (sd_listen_fds(1) < 1 || sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, -1, NULL, 0) <= 0)
        return -1;
    return SD_LISTEN_FDS_START;
}
