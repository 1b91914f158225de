/* Messages from the daemon, and the beat. */
#include "worker.h"

#include "ftpwait.h"
#include "ipc/secret.h"
#include "log.h"
#include "sandbox.h"
#include "vitals.h"
#include "websocket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL_BYTES (64u * 1024 * 1024)   /* answers' headers are under no credit */
#define CHANNEL_KEPT_BYTES (256 * 1024)     /* a busy turn's answers; to get it anew each turn costs */
#define BEAT_MS 1000
#define CLOSE_ROOM_MS 6000   /* above a close_timeout_ms of the usual length */

static void stop(struct worker *worker, int exit_code)
{
    if (worker->exit_code == 0)
        worker->exit_code = exit_code;
    uv_stop(&worker->loop);
}

/* The daemon is trusted, so what it says wrong is a fault that only a new start mends. */
static void breach(struct worker *worker, const char *reason)
{
    log_line(LOG_LEVEL_ERROR, "the daemon broke the protocol: %s", reason);
    ipc_channel_close(&worker->channel);
    stop(worker, WORKER_EXIT_BREACH);
}

static void say(struct worker *worker, unsigned number, const void *message)
{
    if (ipc_channel_send(&worker->channel, number, 0, message) < 0)
        breach(worker, "it does not read");
}

/* ---- drain ---- */

static bool is_finished(const struct worker *worker)
{
    return worker->draining && worker->transfers.count == 0 && ipc_channel_unsent(&worker->channel) == 0;
}

static void finish_if_drained(struct worker *worker)
{
    if (worker->draining && worker->transfers.count == 0)
        ipc_channel_flush(&worker->channel);   /* what is left goes by on_sent() */
    if (is_finished(worker))
        stop(worker, 0);
}

static void on_empty(struct transfers *transfers)
{
    finish_if_drained((struct worker *)(void *)((char *)transfers - offsetof(struct worker, transfers)));
}

static void on_broken(struct transfers *transfers, const char *reason)
{
    breach((struct worker *)(void *)((char *)transfers - offsetof(struct worker, transfers)), reason);
}

/* ---- beat ---- */

static void say_beat(struct worker *worker)
{
    struct ipc_beat beat;
    worker->beat_ms = uv_now(&worker->loop);
    IPC_INIT(BEAT, &beat);
    beat.rss_bytes = vitals_rss_bytes();
    beat.open_fds = vitals_open_fds();
    beat.connections = worker->multis.watches.opened;
    beat.close_wait = watches_count_dead(&worker->multis.watches, NULL);
    beat.partitions = worker->transfers.partitions.count;
    beat.tls_handshakes = tls_handshakes();
    beat.tls_failures = worker->transfers.tls_failures;
    say(worker, IPC_BEAT, &beat);
}

static void on_uv_beat(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    say_beat(worker);
    partitions_sweep(&worker->transfers.partitions);
}

/* libcurl's FTP waits, and the loop stands still meanwhile. */
static bool on_ftp_waits(void *context)
{
    struct worker *worker = context;
    uv_update_time(&worker->loop);
    if (uv_now(&worker->loop) - worker->beat_ms >= BEAT_MS) {
        say_beat(worker);
        ipc_channel_flush(&worker->channel);
    }
    return transfers_overdue(&worker->transfers);
}

/* ---- messages ---- */

/* From here on the network may come. */
static bool confine(const struct ipc_settings *settings, char *ret_text, size_t size)
{
    struct sandbox_order order = { .change_user = settings->user != UINT32_MAX && settings->group != UINT32_MAX,
                                   .user = (uint32_t)settings->user, .group = (uint32_t)settings->group,
                                   .core = settings->core };
    if (settings->unconfined) {
        snprintf(ret_text, size, "NONE, as --no-sandbox wants it");
        return true;
    }
    return sandbox_enter(&order, ret_text, size) == 0;
}

static void announce_ready(struct worker *worker, const char *sandbox)
{
    struct ipc_ready ready;
    IPC_INIT(READY, &ready);
    ready.pid = (uint64_t)uv_os_getpid();
    ready.libraries = ipc_text(curl_version());
    if (ready.libraries.length > 256)
        ready.libraries.length = 256;
    ready.sandbox = ipc_text(sandbox);
    say(worker, IPC_READY, &ready);
}

static void on_settings(struct worker *worker, uint32_t id, const union ipc_any *message)
{
    char reason[400], sandbox[257];   /* READY takes 256 */
    (void)id;
    log_set_level((unsigned)message->settings.log_level);
    if (!ipc_text_is(message->settings.build, FETCHD_VERSION)) {
        breach(worker, "SETTINGS for another build; fetchd and fetchd-worker must be of one");
        return;
    }
    if (settings_take(&message->settings, &worker->settings, reason, sizeof reason) < 0) {
        breach(worker, reason);
        return;
    }
    unsigned allowed = vitals_connection_limit();
    if (worker->settings.connections == 0 || worker->settings.connections > allowed)
        worker->settings.connections = allowed;
    vitals_allow_core(message->settings.core);
    if (!confine(&message->settings, sandbox, sizeof sandbox)) {
        log_line(LOG_LEVEL_ERROR, "sandbox: %s; fetchd --no-sandbox does without one", sandbox);
        stop(worker, WORKER_EXIT_BREACH);
        return;
    }
    worker->multis.watches.limit = worker->settings.connections;
    worker->ready = true;
    ftpwait_set(on_ftp_waits, worker);
    uv_timer_start(&worker->beat, on_uv_beat, BEAT_MS, BEAT_MS);
    log_line(LOG_LEVEL_DEBUG, "ready: at most %u connections", worker->settings.connections);
    announce_ready(worker, sandbox);
}

/* libcurl starts them in the same phase of the loop: then there is room here for more. */
static void say_started(struct turn_task *task)
{
    struct worker *worker = (struct worker *)(void *)((char *)task - offsetof(struct worker, started));
    struct ipc_started started = { .last_id = worker->newest_id };
    say(worker, IPC_STARTED, &started);
}

static void on_fetch(struct worker *worker, uint32_t id, const union ipc_any *message)
{
    const char *reason;
    worker->newest_id = id;
    turn_add(&worker->turn, &worker->started);
    if (!transfers_fetch(&worker->transfers, id, &message->fetch, &reason))
        breach(worker, reason);
}

static void on_credit(struct worker *worker, uint32_t id, const union ipc_any *message)
{
    const char *reason = "CREDIT beyond what may be outstanding";
    bool fine = id == 0 ? outflow_grant(&worker->outflow, message->credit.bytes)
                        : transfers_credit(&worker->transfers, id, message->credit.bytes, &reason);
    if (!fine)
        breach(worker, reason);
}

static void on_go(struct worker *worker, uint32_t id, const union ipc_any *message)
{
    const char *reason;
    if (!transfers_go(&worker->transfers, id, &message->go, &reason))
        breach(worker, reason);
}

/* Given back to the connection's window as it comes; the stream's own bounds what then waits. */
static bool take_payload(struct worker *worker, size_t bytes)
{
    if (!ipc_window_spend(&worker->uploads, bytes)) {
        breach(worker, "payload beyond the connection's credit");
        return false;
    }
    struct ipc_credit credit = { .bytes = (uint64_t)ipc_window_consume(&worker->uploads, bytes) };
    if (credit.bytes > 0)
        say(worker, IPC_CREDIT, &credit);
    return true;
}

static void on_message(struct worker *worker, uint32_t id, const union ipc_any *message)
{
    const char *reason;
    if (take_payload(worker, message->message.data.length)
        && !websocket_message(&worker->transfers, id, &message->message, &reason))
        breach(worker, reason);
}

static void on_flush(struct worker *worker, uint32_t id, const union ipc_any *message)
{
    websocket_flush(&worker->transfers, id, message->flush.token);
}

static void on_output(struct worker *worker, uint32_t id, const union ipc_any *message)
{
    const char *reason = "OUTPUT without a descriptor";
    int fd = ipc_channel_take_descriptor(&worker->channel);
    (void)message;
    if (fd < 0 || !transfers_output(&worker->transfers, id, fd, &reason))
        breach(worker, reason);
}

static void on_cancel(struct worker *worker, uint32_t id, const union ipc_any *message)
{
    (void)message;
    transfers_cancel(&worker->transfers, id);
}

static void on_ping(struct worker *worker, uint32_t id, const union ipc_any *message)
{
    struct ipc_pong pong = { .token = message->ping.token };
    (void)id;
    say(worker, IPC_PONG, &pong);
}

static void on_pong(struct worker *worker, uint32_t id, const union ipc_any *message)
{
    (void)worker, (void)id, (void)message;
}

static void on_uv_drain(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    websockets_drain(&worker->transfers);
}

/* WebSockets end of themselves when they will: at the drain deadline they are closed, with time left
 * for the close to be answered before the daemon ends us. */
static void on_goaway(struct worker *worker, uint32_t id, const union ipc_any *message)
{
    uint64_t drain_ms = message->goaway.drain_ms, room_ms = drain_ms / 2;
    (void)id;
    worker->draining = true;
    if (room_ms > CLOSE_ROOM_MS)
        room_ms = CLOSE_ROOM_MS;
    uv_timer_start(&worker->drain, on_uv_drain, drain_ms - room_ms, 0);
    finish_if_drained(worker);
}

static void on_error(struct worker *worker, uint32_t id, const union ipc_any *message)
{
    (void)id;
    log_line(LOG_LEVEL_ERROR, "the daemon ends the channel: %.*s", (int)message->error.name.length,
             message->error.name.data);
    stop(worker, WORKER_EXIT_BREACH);
}

static const struct handler {
    unsigned number;
    void (*handle)(struct worker *worker, uint32_t id, const union ipc_any *message);
} handlers[] = {
    { IPC_FETCH, on_fetch },
    { IPC_CREDIT, on_credit },
    { IPC_CANCEL, on_cancel },
    { IPC_MESSAGE, on_message },
    { IPC_FLUSH, on_flush },
    { IPC_OUTPUT, on_output },
    { IPC_GO, on_go },
    { IPC_PING, on_ping },
    { IPC_PONG, on_pong },
    { IPC_GOAWAY, on_goaway },
    { IPC_SETTINGS, on_settings },
    { IPC_ERROR, on_error },
};

/* A body's bytes are given back to the connection's window as they come: each stream has a bounded
 * buffer of its own, and one that stands still must not hold up the others. */
static void on_data(struct worker *worker, const struct ipc_frame *frame)
{
    struct ipc_bytes payload;
    const char *reason;
    if (ipc_unpack_data(&worker->decoder, frame, &payload) < 0) {
        breach(worker, worker->decoder.reason);
        return;
    }
    if (!take_payload(worker, payload.length))
        return;
    if (!transfers_data(&worker->transfers, frame->id, payload, &reason))
        breach(worker, reason);
}

static void on_frame(struct ipc_channel *channel, const struct ipc_frame *frame)
{
    struct worker *worker = channel->owner;
    union ipc_any message;
    if (worker->ready == (frame->type == IPC_SETTINGS)) {
        breach(worker, worker->ready ? "SETTINGS twice" : "something else before SETTINGS");
        return;
    }
    if (frame->type == IPC_DATA) {
        on_data(worker, frame);
        return;
    }
    if (ipc_unpack(&worker->decoder, IPC_DAEMON_TO_WORKER, frame, &message) < 0) {
        breach(worker, worker->decoder.reason);
        return;
    }
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++) {
        if (handlers[i].number == frame->type) {
            handlers[i].handle(worker, frame->id, &message);
            break;
        }
    }
    /* The transfer has its copy of the credentials. The bytes are the channel's own. */
    if (frame->type == IPC_FETCH)
        ipc_secret_wipe((void *)(uintptr_t)frame->body, frame->body_length);
}

/* Nobody is left to work for. */
static void on_end(struct ipc_channel *channel, int status, const char *reason)
{
    struct worker *worker = channel->owner;
    if (status == UV_EPROTO || status == UV_ENOMEM) {
        breach(worker, reason);
        return;
    }
    stop(worker, 0);
}

static void on_sent(struct ipc_channel *channel, size_t unsent)
{
    struct worker *worker = channel->owner;
    outflow_sent(&worker->outflow, unsent);
    if (is_finished(worker))
        stop(worker, 0);
}

/* ---- life ---- */

static const struct ipc_channel_calls channel_calls = {
    .on_frame = on_frame, .on_end = on_end, .on_sent = on_sent,
};

static int complain(const char *what, int status)
{
    log_line(LOG_LEVEL_ERROR, "%s: %s", what, uv_strerror(status));
    return -1;
}

int worker_open(struct worker *worker, int fd)
{
    memset(worker, 0, sizeof *worker);
    int status = uv_loop_init(&worker->loop);
    if (status < 0)
        return complain("no event loop", status);
    if (ipc_decoder_init(&worker->decoder) < 0)
        return complain("no decoder", UV_ENOMEM);
    status = ipc_hub_init(&worker->hub, &worker->loop);
    if (status < 0)
        return complain("no channel", status);
    status = ipc_channel_open(&worker->channel, &worker->hub, fd, IPC_WORKER, CHANNEL_BYTES, &channel_calls,
                              worker);
    if (status < 0)
        return complain("standard input is not the daemon's channel", status);
    worker->channel.out.kept = CHANNEL_KEPT_BYTES;
    worker->channel.in.wipes = true;
    turn_init(&worker->turn, &worker->loop);
    multi_hub_init(&worker->multis, &worker->turn, transfer_on_curl_done);
    outflow_init(&worker->outflow, &worker->turn, &worker->channel, IPC_CONNECTION_WINDOW);
    ipc_window_init(&worker->uploads, IPC_CONNECTION_WINDOW);
    uv_timer_init(&worker->loop, &worker->beat);
    worker->beat.data = worker;
    uv_timer_init(&worker->loop, &worker->drain);
    worker->drain.data = worker;
    worker->started.run = say_started;
    worker->transfers.on_empty = on_empty;
    worker->transfers.on_broken = on_broken;
    transfers_init(&worker->transfers, &worker->multis, &worker->outflow, &worker->channel,
                   &worker->settings);
    return 0;
}

int worker_run(struct worker *worker)
{
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    return worker->exit_code;
}
