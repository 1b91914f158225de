/* Where a body that was held goes: to the application, or into a file of its. */
#include "core.h"

#include <string.h>

void fetchd_take_body(struct fetchd_request *request)
{
    struct ipc_window *window = &request->window;
    struct ipc_credit credit = { .bytes = (uint64_t)window->window };
    if (!request->held || request->state != REQUEST_OPEN || request->connection != request->client->connection)
        return;
    request->held = false;
    window->available = window->window;
    client_say(request->client, IPC_CREDIT, request->id, &credit);
}

static bool daemon_can(const struct fetchd_client *client, const char *feature)
{
    for (size_t i = 0; i < client->daemon.feature_count; i++)
        if (strcmp(client->daemon.features[i], feature) == 0)
            return true;
    return false;
}

int fetchd_write_body_to(struct fetchd_request *request, int fd)
{
    struct fetchd_client *client = request->client;
    if (!request->held || !request->responded || request->websocket) {
        failure_set(&client->failure, IPC_ERROR_REQUEST_INVALID, "%s",
                    "its body is not held (hold_body), there is no response yet, or it goes somewhere already");
        return FETCHD_FAILED;
    }
    if (request->state != REQUEST_OPEN || request->connection != client->connection)
        return 0;   /* its DONE is there already and says why */
    if (!daemon_can(client, "output")) {
        failure_set(&client->failure, IPC_ERROR_REQUEST_UNSUPPORTED, "%s", "this daemon can't write bodies to files");
        return FETCHD_FAILED;
    }
    if (wire_attach(&client->wire, fd) < 0) {
        failure_set(&client->failure, IPC_ERROR_REQUEST_INVALID, "%s", "the descriptor is none, or memory is short");
        return FETCHD_FAILED;
    }
    request->held = false;
    request->written = true;
    client_say(client, IPC_OUTPUT, request->id, NULL);
    return 0;
}
