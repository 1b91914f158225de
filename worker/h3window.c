/* HTTP/3 windows under a budget, between libcurl and ngtcp2. */
#include "h3window.h"

#include "transfer.h"
#include "window.h"

#include <ngtcp2/ngtcp2.h>

#define CONNECTION_BYTES (8 * 1024 * 1024)
#define SIDE_STREAMS 32                  /* control, QPACK, and kinds that nobody knows */
#define SIDE_STREAM_BYTES (64 * 1024)
#define PATIENCE 7                       /* times the probe timeout: after the third of them (1 + 2 + 4) */

/* ---- ngtcp2's functions, as libcurl calls them, and as they are ---- */

int __real_ngtcp2_conn_extend_max_stream_offset(ngtcp2_conn *conn, int64_t stream_id, uint64_t bytes);
int __real_ngtcp2_conn_client_new_versioned(
    ngtcp2_conn **conn, const ngtcp2_cid *dcid, const ngtcp2_cid *scid, const ngtcp2_path *path,
    uint32_t version, int callbacks_version, const ngtcp2_callbacks *callbacks, int settings_version,
    const ngtcp2_settings *settings, int params_version, const ngtcp2_transport_params *params,
    const ngtcp2_mem *memory, void *user_data);

void __real_ngtcp2_conn_del(ngtcp2_conn *conn);

int __wrap_ngtcp2_conn_extend_max_stream_offset(ngtcp2_conn *conn, int64_t stream_id, uint64_t bytes);
int __wrap_ngtcp2_conn_client_new_versioned(
    ngtcp2_conn **conn, const ngtcp2_cid *dcid, const ngtcp2_cid *scid, const ngtcp2_path *path,
    uint32_t version, int callbacks_version, const ngtcp2_callbacks *callbacks, int settings_version,
    const ngtcp2_settings *settings, int params_version, const ngtcp2_transport_params *params,
    const ngtcp2_mem *memory, void *user_data);

void __wrap_ngtcp2_conn_del(ngtcp2_conn *conn);

/* ---- which transfer has which connection ---- */

static struct h3window *connected;

void h3window_reset(struct h3window *window)
{
    if (window->link) {
        *window->link = window->next;
        if (window->next)
            window->next->link = window->link;
    }
    *window = (struct h3window){ .connection = NULL };
}

static void begin(struct h3window *window, ngtcp2_conn *conn, int64_t stream_id, uint64_t packets)
{
    h3window_reset(window);
    *window = (struct h3window){ .connection = conn, .stream = stream_id, .open_bytes = WINDOW_LEAST_BYTES,
                                 .packets = packets, .next = connected, .link = &connected };
    if (connected)
        connected->link = &window->next;
    connected = window;
}

/* A transfer can outlive its connection: libcurl asks again, over another that is yet to be made. */
void __wrap_ngtcp2_conn_del(ngtcp2_conn *conn)
{
    for (struct h3window *window = connected, *next; window; window = next) {
        next = window->next;
        if (window->connection == conn)
            h3window_reset(window);
    }
    __real_ngtcp2_conn_del(conn);
}

/* libcurl keeps the easy handle with the stream; one of the connection's own has none. */
static struct h3window *find(ngtcp2_conn *conn, int64_t stream_id)
{
    char *private = NULL;
    CURL *curl = ngtcp2_conn_get_stream_user_data(conn, stream_id);
    if (!curl || curl_easy_getinfo(curl, CURLINFO_PRIVATE, &private) != CURLE_OK || !private)
        return NULL;
    struct transfer *transfer = ((struct easy *)(void *)private)->transfer;
    return transfer ? &transfer->h3window : NULL;
}

static uint64_t count_packets(ngtcp2_conn *conn)
{
    ngtcp2_conn_info info;
    ngtcp2_conn_get_conn_info(conn, &info);
    return info.pkt_recv;
}

/* By how much the window moves on for `bytes` that came: by as many, and some to grow or to shrink it. */
static uint64_t step(struct h3window *window, uint64_t bytes)
{
    uint64_t most = (uint64_t)window_share(), now = window->open_bytes;
    uint64_t wanted = now < most ? (most - now < bytes ? most : now + bytes)
        : (now - most < bytes ? most : now - bytes);
    window->open_bytes = wanted;
    return bytes + wanted - now;
}

/* The first call for a stream opens it wide. Each other tells of bytes that came and that libcurl has. */
int __wrap_ngtcp2_conn_extend_max_stream_offset(ngtcp2_conn *conn, int64_t stream_id, uint64_t bytes)
{
    struct h3window *window = find(conn, stream_id);
    if (!window)
        return __real_ngtcp2_conn_extend_max_stream_offset(conn, stream_id, bytes);
    if (window->connection != conn || window->stream != stream_id) {
        begin(window, conn, stream_id, count_packets(conn));
        return 0;
    }
    return __real_ngtcp2_conn_extend_max_stream_offset(conn, stream_id, step(window, bytes));
}

int __wrap_ngtcp2_conn_client_new_versioned(
    ngtcp2_conn **conn, const ngtcp2_cid *dcid, const ngtcp2_cid *scid, const ngtcp2_path *path,
    uint32_t version, int callbacks_version, const ngtcp2_callbacks *callbacks, int settings_version,
    const ngtcp2_settings *settings, int params_version, const ngtcp2_transport_params *params,
    const ngtcp2_mem *memory, void *user_data)
{
    ngtcp2_settings our_settings = *settings;
    ngtcp2_transport_params ours = *params;
    our_settings.max_window = CONNECTION_BYTES;
    ours.initial_max_data = CONNECTION_BYTES;
    ours.initial_max_stream_data_bidi_local = WINDOW_LEAST_BYTES;
    ours.initial_max_stream_data_uni = SIDE_STREAM_BYTES;
    ours.initial_max_streams_uni = SIDE_STREAMS;
    ours.initial_max_streams_bidi = 0;   /* a server opens none (RFC 9114, 6.1) */
    return __real_ngtcp2_conn_client_new_versioned(conn, dcid, scid, path, version, callbacks_version,
                                                   callbacks, settings_version, &our_settings,
                                                   params_version, &ours, memory, user_data);
}

/* ---- the transfer's side ---- */

bool h3window_has_heard(const struct h3window *window)
{
    return !window->connection || count_packets(window->connection) > window->packets;
}

uint64_t h3window_patience_ms(const struct h3window *window)
{
    return window->connection ? PATIENCE * ngtcp2_conn_get_pto(window->connection) / NGTCP2_MILLISECONDS : 0;
}
