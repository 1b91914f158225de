/* The descriptor that an event loop watches. */
#include "core.h"

int fetchd_fd(struct fetchd_client *client)
{
    if (!client)
        return -1;
    client_check_fork(client);
    if (client->poller.fd < 0) {
        if (poller_open(&client->poller) < 0)
            return -1;
        if (client->notices || client->ready_first)
            poller_ring(&client->poller);
    }
    poller_watch(&client->poller);
    return client->poller.fd;
}
