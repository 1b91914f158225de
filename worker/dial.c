/* libcurl's callbacks on the way to a connection. */
#include "dial.h"

#include "destination.h"
#include "silence.h"
#include "transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH_MS 5000   /* for the daemon to take what is ahead of SENDING */

union socket_address { struct sockaddr any; struct sockaddr_in four; struct sockaddr_in6 six; };

static bool read_address(const char *text, int port, union socket_address *ret_address)
{
    return uv_ip4_addr(text, port, &ret_address->four) == 0 || uv_ip6_addr(text, port, &ret_address->six) == 0;
}

static bool is_proxied(const struct transfer *transfer)
{
    return transfer->fetch->proxy.length > 0;
}

static bool is_overridden(const struct transfer *transfer)
{
    return transfer->fetch->resolve.count > 0;
}

/* The rules hold for a proxy too: one on this host must be allowed like any other address, unless the
 * operator named it. It is where the client sends us, not where a redirect does. */
static struct destination destination_of(const struct transfer *transfer, const struct sockaddr *address)
{
    if (is_proxied(transfer))
        return (struct destination){ .address = address, .host = transfer->partition->proxy.host,
                                     .overridden = is_overridden(transfer) };
    const struct altsvc_place *place = transfer->way.alternative ? &transfer->way.place : NULL;
    return (struct destination){ .address = address,
                                 .host = place && place->other_host ? place->host : transfer->target,
                                 .from_public = transfer->fetch->from_public || (place && place->from_public),
                                 .overridden = is_overridden(transfer) };
}

static const struct destination_policy *rules_of(const struct transfer *transfer)
{
    return transfer->rules ? transfer->rules : transfer->owner->settings->egress;
}

static bool deny(struct transfer *transfer, const char *reason)
{
    failure_set(&transfer->denial, IPC_ERROR_POLICY_DENIED, PHASE_CONNECT, "%s", reason);
    return false;
}

static bool may_connect(struct transfer *transfer, const struct sockaddr *address)
{
    struct destination destination = destination_of(transfer, address);
    char reason[CURL_ERROR_SIZE];
    bool exempt = is_proxied(transfer) && transfer->fetch->proxy_exempt;
    if (!exempt
        && !destination_allowed(rules_of(transfer), &destination, reason, sizeof reason))
        return deny(transfer, reason);
    transfer->remote_public = is_proxied(transfer) || destination_kind(address) == DESTINATION_PUBLIC;
    return true;
}

/* As libcurl reads the host: 0x7f.1 is an address in figures, too. */
static bool read_host(const char *url, char *ret_host, size_t size)
{
    char *host = NULL;
    CURLU *parts = curl_url();
    bool read = parts && curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK
        && curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK && strlen(host) < size;
    if (read) {
        size_t length = strlen(host), bracket = host[0] == '[';
        memcpy(ret_host, host + bracket, length - 2 * bracket);
        ret_host[length - 2 * bracket] = '\0';
    }
    curl_free(host);
    curl_url_cleanup(parts);
    return read;
}

/* What no connection of ours will show: a proxy connects to the target, and maybe looks its name up. */
static bool may_ask_proxy(struct transfer *transfer, unsigned port)
{
    char host[sizeof transfer->target], reason[CURL_ERROR_SIZE];
    bool elsewhere = strcmp(transfer->target, transfer->host) != 0;
    if (elsewhere)
        snprintf(host, sizeof host, "%s", transfer->target);
    else if (!read_host(transfer->fetch->url.data, host, sizeof host))
        return deny(transfer, "the host of the URL can't be read");
    return destination_name_allowed(rules_of(transfer), host, port,
                                    transfer->fetch->from_public, reason, sizeof reason)
        || deny(transfer, reason);
}

bool dial_may_go(struct transfer *transfer)
{
    char reason[CURL_ERROR_SIZE];
    bool elsewhere = transfer->fetch->connect_to.count > 0;
    if (elsewhere
        && destination_name_denied(rules_of(transfer), transfer->host, transfer->target_port,
                                   reason, sizeof reason))
        return deny(transfer, reason);
    return !is_proxied(transfer) || may_ask_proxy(transfer, transfer->target_port);
}

bool dial_may_reach(struct transfer *transfer, unsigned port)
{
    return !is_proxied(transfer) || may_ask_proxy(transfer, port);
}

/* Whether this one is denied is told when no other is tried. */
bool dial_may_send_proxy_to(struct transfer *transfer, const char *address, unsigned port)
{
    char reason[CURL_ERROR_SIZE];
    union socket_address read;
    if (!read_address(address, (int)port, &read))
        return deny(transfer, "the address that the name led to can't be checked");
    struct destination destination = { .address = &read.any, .host = transfer->target,
                                       .from_public = transfer->fetch->from_public,
                                       .overridden = is_overridden(transfer) };
    transfer->dialled = destination_allowed(rules_of(transfer), &destination, reason, sizeof reason);
    return transfer->dialled || deny(transfer, reason);
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
    transfer->datagrams = address->protocol == IPPROTO_UDP;
    transfer->proxy_secured = false;
    return watches_open(watches, address);
}

int dial_on_curl_close_socket(void *watches, curl_socket_t fd)
{
    return watches_close(watches, fd);
}

/* The first handshake on a connection to an HTTPS proxy is with the proxy. */
static bool is_for_proxy(struct transfer *transfer)
{
    bool first = transfer->partition->proxy.is_https && !transfer->proxy_secured;
    transfer->proxy_secured = transfer->proxy_secured || first;
    return first;
}

CURLcode dial_on_curl_ssl_ctx(CURL *curl, void *ssl_ctx, void *data)
{
    struct easy *easy = data;
    struct partition *partition = easy->partition;
    struct transfer *transfer = easy->transfer;
    bool fine;
    if (curl != easy->curl)   /* libcurl's own question to the operator's DoH server */
        return tls_configure(ssl_ctx, partition->owner->settings->trust, NULL)
            ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
    if (!transfer->datagrams)
        deadline_enter_tls(&transfer->deadline);   /* TCP is connected */
    if (is_for_proxy(transfer)) {
        if (transfer->phase < PHASE_SEND)
            transfer->phase = PHASE_PROXY;
        fine = tls_configure(ssl_ctx, partition->proxy_trust, NULL);
    } else {
        if (transfer->phase < PHASE_SEND && !transfer->datagrams)
            transfer->phase = PHASE_TLS;
        fine = tls_configure(ssl_ctx, partition->trust, partition->identity);
    }
    return fine ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

/* ---- before the first byte ---- */

/* A connection that another request opened was allowed for that one, and of several addresses that were tried
 * it is this one that counts. */
static bool may_use(struct transfer *transfer, const char *remote, int port)
{
    union socket_address address;
    if (read_address(remote, port, &address))
        return may_connect(transfer, &address.any);
    failure_set(&transfer->denial, IPC_ERROR_POLICY_DENIED, PHASE_CONNECT,
                "the peer of the connection has no address that can be checked");
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

/* A kept connection's, too. */
static void note_certs(struct transfer *transfer)
{
    free(transfer->certs);
    transfer->certs = NULL;
    transfer->cert_count = 0;
    if (transfer->fetch->want_certs)
        transfer->certs = tls_chain(easy_ssl(transfer->easy), transfer->cert_texts, &transfer->cert_count);
}

/* The daemon must know that the request may be under way before it can be: then it never repeats one
 * that may have arrived, and repeats without fear one of which it did not hear this. */
static bool announce(struct transfer *transfer)
{
    struct ipc_channel *channel = transfer->owner->channel;
    transfer_say(transfer, IPC_SENDING, NULL);
    transfer->announced = true;
    return ipc_channel_flush_within(channel, FLUSH_MS);
}

static void begin_sending(struct transfer *transfer)
{
    const struct ipc_fetch *fetch = transfer->fetch;
    transfer->phase = fetch->body_streamed ? PHASE_SEND : PHASE_WAIT;
    transfer->sent = true;
    transfer->sent_bytes = 0;
    deadline_enter(&transfer->deadline, fetch->body_streamed ? DEADLINE_IDLE : DEADLINE_HEADERS);
    if (fetch->body_streamed && !transfer->expects)
        transfer_open_upload(transfer);   /* else when libcurl asks for the first piece */
}

static void learn_protocol(struct transfer *transfer, bool dialled)
{
    tls_protocol(easy_ssl(transfer->easy), transfer->alpn, sizeof transfer->alpn);
    if (dialled && transfer->scout.origin)
        scout_learn(&transfer->scout, strcmp(transfer->alpn, "h2") == 0 || strcmp(transfer->alpn, "h3") == 0);
    scout_leave(&transfer->scout);
    if (dialled && strcmp(transfer->alpn, "h2") == 0)
        easy_share_connection(transfer->easy);
}

int dial_on_curl_prereq(void *data, char *remote, char *local, int remote_port, int local_port)
{
    struct transfer *transfer = ((struct easy *)data)->transfer;
    (void)local, (void)local_port;
    bool dialled = transfer->dialled;
    transfer->dialled = false;   /* so that a refusal is told */
    if (!may_use(transfer, remote, remote_port))
        return CURL_PREREQFUNC_ABORT;
    learn_protocol(transfer, dialled);
    h3window_reset(&transfer->h3window);
    transfer->denial.error = IPC_ERROR_NONE;
    note_remote(transfer, remote, remote_port);
    note_certs(transfer);
    /* libcurl repeats by itself what it sent on a kept connection that then closed: any method. */
    if (transfer->sent && !transfer->idempotent && !transfer->deferred) {
        transfer_doom(transfer, IPC_ERROR_RECEIVE_EMPTY,
                      "the origin closed a kept connection after the request was sent; it may have arrived");
        return CURL_PREREQFUNC_ABORT;
    }
    if (transfer->fetch->announce && !transfer->announced && !announce(transfer)) {
        transfer_doom(transfer, IPC_ERROR_INTERNAL, "the daemon does not read what its worker says");
        return CURL_PREREQFUNC_ABORT;
    }
    begin_sending(transfer);
    if (!dialled)
        silence_begin(transfer);
    return CURL_PREREQFUNC_OK;
}
