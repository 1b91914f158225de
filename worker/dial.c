/* libcurl's callbacks on the way to a connection. */
#include "dial.h"

#include "destination.h"
#include "transfer.h"

#include <stdio.h>
#include <string.h>

#ifndef _WIN32
#include <poll.h>
#endif

#define FLUSH_MS 5000   /* for the daemon to take what is ahead of SENDING */

static bool is_proxied(const struct transfer *transfer)
{
    return transfer->fetch->proxy.length > 0;
}

/* A proxy is where the client sends us, not where a redirect does. The rules hold for it all the
 * same: one on this host must be allowed like any other address. */
static bool may_connect(struct transfer *transfer, const struct sockaddr *address)
{
    struct destination destination = {
        .address = address,
        .host = transfer->host,
        .from_public = transfer->fetch->from_public && !is_proxied(transfer),
    };
    char reason[CURL_ERROR_SIZE];
    if (destination_allowed(transfer->owner->settings->egress, &destination, reason, sizeof reason)) {
        transfer->remote_public = is_proxied(transfer) || destination_kind(address) == DESTINATION_PUBLIC;
        return true;
    }
    failure_set(&transfer->denial, IPC_ERROR_POLICY_DENIED, PHASE_CONNECT, "%s", reason);
    return false;
}

curl_socket_t dial_on_curl_open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct easy *easy = data;
    struct transfer *transfer = easy->transfer;
    struct watches *watches = &easy->partition->owner->hub->watches;
    (void)purpose;
    if (!may_connect(transfer, &address->addr))
        return CURL_SOCKET_BAD;
    if (watches->opened >= watches->limit && !partitions_close_one(&transfer->owner->partitions)) {
        failure_set(&transfer->denial, IPC_ERROR_OVERLOADED, PHASE_CONNECT,
                    "this worker has %u connections open, as many as it may", watches->opened);
        transfer->denial.retryable = true;
        return CURL_SOCKET_BAD;
    }
    transfer->dialled = true;
    return watches_open(watches, address);
}

int dial_on_curl_close_socket(void *watches, curl_socket_t fd)
{
    return watches_close(watches, fd);
}

CURLcode dial_on_curl_ssl_ctx(CURL *curl, void *ssl_ctx, void *data)
{
    struct easy *easy = data;
    struct partition *partition = easy->partition;
    (void)curl;
    if (easy->transfer->phase < PHASE_TLS)
        easy->transfer->phase = PHASE_TLS;   /* TCP is connected */
    return tls_configure(ssl_ctx, partition->trust, partition->identity) ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

/* ---- before the first byte ---- */

/* A connection that another request opened was allowed for that one. */
static bool may_reuse(struct transfer *transfer, const char *remote, int port)
{
    union { struct sockaddr any; struct sockaddr_in four; struct sockaddr_in6 six; } address;
    if (uv_ip4_addr(remote, port, &address.four) == 0 || uv_ip6_addr(remote, port, &address.six) == 0)
        return may_connect(transfer, &address.any);
    failure_set(&transfer->denial, IPC_ERROR_POLICY_DENIED, PHASE_CONNECT,
                "the peer of a kept connection has no address that can be checked");
    return false;
}

static void note_remote(struct transfer *transfer, const char *remote, int port)
{
    size_t length = strlen(remote);
    if (length >= sizeof transfer->remote)
        length = sizeof transfer->remote - 1;
    memcpy(transfer->remote, remote, length);
    transfer->remote[length] = '\0';
    transfer->remote_port = port;
}

/* The daemon must know that the request may be under way before it can be: then it never repeats one
 * that may have arrived, and repeats without fear one of which it did not hear this. */
static bool announce(struct transfer *transfer)
{
    struct ipc_channel *channel = transfer->owner->channel;
    transfer_say(transfer, IPC_SENDING, NULL);
    transfer->announced = true;
    for (int tries = 0; !ipc_channel_flush(channel); tries++) {
#ifdef _WIN32
        if (tries == 100)
            return false;
        uv_sleep(FLUSH_MS / 100);
#else
        struct pollfd wait = { .fd = channel->fd, .events = POLLOUT };
        if (tries == 100 || poll(&wait, 1, FLUSH_MS / 100) < 0)
            return false;
#endif
    }
    return true;
}

static void begin_sending(struct transfer *transfer)
{
    const struct ipc_fetch *fetch = transfer->fetch;
    transfer->phase = fetch->body_streamed ? PHASE_SEND : PHASE_WAIT;
    transfer->sent = true;
    transfer->sent_bytes = 0;
    deadline_enter(&transfer->deadline, fetch->body_streamed ? DEADLINE_IDLE : DEADLINE_HEADERS);
    if (!fetch->body_streamed)
        return;
    struct ipc_credit credit = { .bytes = (uint64_t)upload_open(&transfer->upload) };
    if (credit.bytes > 0)
        transfer_say(transfer, IPC_CREDIT, &credit);
}

int dial_on_curl_prereq(void *data, char *remote, char *local, int remote_port, int local_port)
{
    struct transfer *transfer = ((struct easy *)data)->transfer;
    (void)local, (void)local_port;
    if (!transfer->dialled && !may_reuse(transfer, remote, remote_port))
        return CURL_PREREQFUNC_ABORT;
    if (transfer->dialled && transfer->scout.origin)
        scout_learn(&transfer->scout, tls_speaks_http2(easy_ssl(transfer->easy)));
    scout_leave(&transfer->scout);
    transfer->denial.error = IPC_ERROR_NONE;
    transfer->dialled = false;
    note_remote(transfer, remote, remote_port);
    /* libcurl repeats by itself what it sent on a kept connection that then closed: any method. */
    if (transfer->sent && !transfer->idempotent) {
        transfer_doom(transfer, IPC_ERROR_RECEIVE_EMPTY,
                      "the origin closed a kept connection after the request was sent; it may have arrived");
        return CURL_PREREQFUNC_ABORT;
    }
    if (transfer->fetch->announce && !transfer->announced && !announce(transfer)) {
        transfer_doom(transfer, IPC_ERROR_INTERNAL, "the daemon does not read what its worker says");
        return CURL_PREREQFUNC_ABORT;
    }
    begin_sending(transfer);
    return CURL_PREREQFUNC_OK;
}
