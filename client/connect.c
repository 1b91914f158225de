/* The connection's life: found, greeted, lost. */
#include "core.h"

#include "ipc/endpoint.h"
#include "ipc/pack.h"
#include "transport.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void client_say(struct fetchd_client *client, unsigned number, uint32_t id, const void *message)
{
    if (ipc_pack(&client->wire.out, IPC_CLIENT, number, id, message) < 0)
        client_lose(client, IPC_ERROR_DAEMON_LOST, "the daemon at %s reads nothing, or memory is short",
                    client->reached);
}

void client_flush(struct fetchd_client *client)
{
    bool was_high = ipc_buffer_length(&client->wire.out) >= UPLOAD_QUEUED_BYTES;
    wire_write(&client->wire);
    if (was_high && ipc_buffer_length(&client->wire.out) < UPLOAD_QUEUED_BYTES)
        upload_continue_all(client);
    poller_watch(&client->poller);
}

/* A closed connection's frames are gone: what an event pointed to stays readable, but is no longer
 * to be consumed. */
static void forget_wire(struct fetchd_client *client)
{
    poller_forget(&client->poller);
    wire_close(&client->wire);
    client->front.request = NULL;
    client->taken.from_wire = false;
    client->welcomed = client->draining = false;
}

static void end_all(struct fetchd_client *client, enum ipc_error_code code)
{
    for (struct fetchd_request *request = client->requests; request; request = request->next)
        if (request->state == REQUEST_OPEN)
            request_end(request, code);
}

static void fail_question(struct fetchd_client *client)
{
    if (client->question.id == 0 && client->question.token == 0)
        return;
    client->question.answered = true;
    failure_copy(&client->question.failure, &client->lost.error);
}

void client_lose(struct fetchd_client *client, enum ipc_error_code code, const char *format, ...)
{
    char reason[sizeof client->lost.message];
    va_list arguments;
    if (client->wire.fd < 0)
        return;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    failure_set(&client->lost, code, "%s", reason);
    forget_wire(client);
    end_all(client, code);
    fail_question(client);
    client->notices |= 1u << FETCHD_EVENT_LOST;
    poller_ring(&client->poller);   /* no socket will say it */
}

void client_check_fork(struct fetchd_client *client)
{
    if (client->process == (long)getpid())
        return;
    client->process = (long)getpid();
    poller_finish(&client->poller);   /* its set is shared with the parent: change nothing in it */
    client_lose(client, IPC_ERROR_DAEMON_LOST, "this process was forked and has no connection of its own");
}

static void greet(struct fetchd_client *client)
{
    struct ipc_hello hello;
    IPC_INIT(HELLO, &hello);
    hello.version_min = IPC_VERSION_MIN;
    hello.version_max = IPC_VERSION_MAX;
    hello.client = ipc_text(client->name ? client->name : "libfetchd/" FETCHD_VERSION);
    hello.window = IPC_CONNECTION_WINDOW;
    client_say(client, IPC_HELLO, 0, &hello);
}

static int begin_connection(struct fetchd_client *client, int fd, const char *address)
{
    snprintf(client->reached, sizeof client->reached, "%s", address);
    if (!client->has_decoder && ipc_decoder_init(&client->decoder) < 0) {
        close(fd);
        failure_set(&client->failure, IPC_ERROR_OUT_OF_MEMORY, "%s", "");
        return -1;
    }
    client->has_decoder = true;
    if (wire_open(&client->wire, fd) < 0) {
        failure_set(&client->failure, IPC_ERROR_OUT_OF_MEMORY, "%s", "");
        return -1;
    }
    client->connection++;
    client->last_id = 0;
    client->credit = 0;
    ipc_window_init(&client->window, IPC_CONNECTION_WINDOW);
    greet(client);
    if (client->wire.fd < 0) {
        client->notices &= ~(1u << FETCHD_EVENT_LOST);   /* it never was */
        failure_set(&client->failure, IPC_ERROR_OUT_OF_MEMORY, "%s", "");
        return -1;
    }
    poller_watch(&client->poller);
    return 0;
}

/* The address number `index` to try; 1, 0 for no more, -1 for one that is too long. */
static int candidate(const struct fetchd_client *client, unsigned index, char *address, size_t size)
{
    if (!client->address)
        return ipc_endpoint_candidate(index, address, size);
    if (index > 0)
        return 0;
    return snprintf(address, size, "%s", client->address) < (int)size ? 1 : -1;
}

static void say_none(struct failure *failure, const char *tried)
{
    failure_set(failure, IPC_ERROR_DAEMON_LOST, "no fetchd is running at %s; %s", tried, transport_start_hint);
}

static int connect_somewhere(struct fetchd_client *client)
{
    char address[ADDRESS_BYTES], tried[600] = "";
    struct transport_failure reason;
    size_t used = 0;
    int more;
    for (unsigned index = 0; (more = candidate(client, index, address, sizeof address)) > 0; index++) {
        int fd = transport_connect(address, &reason);
        if (fd >= 0)
            return begin_connection(client, fd, address);
        if (!reason.absent) {
            failure_set(&client->failure, reason.code, "%s: %s", address, reason.reason);
            client->failure.error.retryable = reason.code == IPC_ERROR_OVERLOADED;
            return -1;
        }
        int length = snprintf(tried + used, sizeof tried - used, "%s%s (%s)", index ? " nor at " : "",
                              address, reason.reason);
        used = length > 0 && used + (size_t)length < sizeof tried ? used + (size_t)length : sizeof tried - 1;
    }
    if (more < 0)
        failure_set(&client->failure, IPC_ERROR_REQUEST_INVALID,
                    "the daemon's address is above %d bytes: choose a shorter one", ADDRESS_BYTES - 1);
    else
        say_none(&client->failure, tried);
    return -1;
}

/* An idle connection may have died unseen, and a draining one takes nothing new. */
static bool is_worn(struct fetchd_client *client)
{
    return client->open_count == 0 && client->question.id == 0 && client->question.token == 0
        && ipc_buffer_length(&client->wire.out) == 0 && (client->draining || wire_is_stale(&client->wire));
}

int client_ensure_connected(struct fetchd_client *client)
{
    client_check_fork(client);
    if (client->wire.fd >= 0 && is_worn(client))
        forget_wire(client);
    if (client->wire.fd < 0)
        return connect_somewhere(client);
    if (client->draining) {
        failure_set(&client->failure, IPC_ERROR_DRAINING, "%s", client->drained.error.message);
        client->failure.error.retryable = true;
        return -1;
    }
    return 0;
}
