/* A client: made, named, asked about itself, closed. */
#include "core.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *fetchd_version(void)
{
    return FETCHD_VERSION;
}

static char *copy(const char *string)
{
    size_t size = strlen(string) + 1;
    char *text = malloc(size);
    return text ? memcpy(text, string, size) : NULL;
}

struct fetchd_client *fetchd_open(const char *address)
{
    struct fetchd_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->process = (long)getpid();
    wire_init(&client->wire);
    poller_init(&client->poller, &client->wire);
    failure_set(&client->failure, IPC_ERROR_NONE, "nothing has failed");
    client->address = address ? copy(address) : NULL;
    if (address && !client->address) {
        fetchd_close(client);
        return NULL;
    }
    return client;
}

void fetchd_close(struct fetchd_client *client)
{
    if (!client)
        return;
    event_release(client);
    wire_close(&client->wire);
    while (client->requests)
        fetchd_release(client->requests);
    while (client->spare) {
        struct fetchd_request *request = client->spare;
        client->spare = request->next;
        free(request);
    }
    poller_finish(&client->poller);
    wire_finish(&client->wire);
    if (client->has_decoder)
        ipc_decoder_finish(&client->decoder);
    words_finish(&client->daemon_words);
    words_finish(&client->event_words);
    text_finish(&client->question.answer);
    free(client->buckets);
    free(client->address);
    free(client->name);
    free(client);
}

void fetchd_set_name(struct fetchd_client *client, const char *name)
{
    if (!client)
        return;
    free(client->name);
    client->name = name && strlen(name) <= 128 ? copy(name) : NULL;
}

const struct fetchd_error *fetchd_last_error(const struct fetchd_client *client)
{
    return client ? &client->failure.error : failure_without_client();
}

const struct fetchd_daemon *fetchd_daemon_info(const struct fetchd_client *client)
{
    return client && client->welcomed ? &client->daemon : NULL;
}

void fetchd_process(struct fetchd_client *client)
{
    if (!client)
        return;
    client_check_fork(client);
    event_release(client);
    client_flush(client);
    client->may_read = true;
}

void fetchd_free(void *memory)
{
    free(memory);
}
