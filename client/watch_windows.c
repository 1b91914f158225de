/* The event that a program or its event loop waits for. */
#include "core.h"

#include "pipe_windows.h"

void *fetchd_handle(struct fetchd_client *client)
{
    if (!client || poller_open(&client->poller) < 0)
        return NULL;
    if (client->notices || client->ready_first)
        poller_ring(&client->poller);
    return pipe_event(&client->wire);
}
