/* One worker's life. */
#include "supervisor.h"

#include "daemon.h"
#include "log.h"
#include "request.h"
#include "spawn.h"

#include "ipc/error.h"
#include "ipc/frame.h"
#include "ipc/pack.h"
#include "ipc/unpack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL_LIMIT_BYTES ((size_t)64 * 1024 * 1024)
#define ABORT_GRACE_MS 2000      /* between SIGABRT and SIGKILL */
#define PARTING_MS 500           /* between the channel's end and the process's, whichever is first */
#define RECHECK_MS 1000
#define LEAVE_MS 5000            /* for a worker without requests, when the daemon stops */
/* What a worker says of a request may grow when it is packed again for the client. */
#define RELAYED_BYTES (IPC_FRAME_BYTES - 16 * 1024)
#define YOUNG_MS 5000            /* a death before that age makes the next start wait longer */

static const char *const state_names[SUPERVISOR_STATES] = {
    [SUPERVISOR_WAITING] = "waiting", [SUPERVISOR_STARTING] = "starting", [SUPERVISOR_READY] = "ready",
    [SUPERVISOR_DRAINING] = "draining", [SUPERVISOR_ABORTING] = "aborting", [SUPERVISOR_DYING] = "dying",
    [SUPERVISOR_STOPPED] = "stopped",
};
static const char *const event_names[SUPERVISOR_EVENTS] = {
    [SUPERVISOR_SPAWN] = "spawn", [SUPERVISOR_HELLO] = "hello", [SUPERVISOR_SILENCE] = "silence",
    [SUPERVISOR_BREACH] = "breach", [SUPERVISOR_HANGUP] = "hangup", [SUPERVISOR_EXIT] = "exit",
    [SUPERVISOR_GONE] = "gone", [SUPERVISOR_DRAIN] = "drain", [SUPERVISOR_STOP] = "stop",
};

const char *supervisor_state_name(enum supervisor_state state) { return state_names[state]; }
const char *supervisor_event_name(enum supervisor_event event) { return event_names[event]; }

static void on_uv_timer(uv_timer_t *timer);
static void note_deaf(struct supervisor *supervisor);

/* ---- states ---- */

static void enter_state(struct supervisor *supervisor, enum supervisor_state state, uint64_t deadline_ms)
{
    log_debug("worker %u: %s -> %s", supervisor->number, state_names[supervisor->state], state_names[state]);
    supervisor->state = state;
    if (state != SUPERVISOR_READY)
        crew_worker_unready(&supervisor->daemon->crew, supervisor);
    if (deadline_ms > 0)
        uv_timer_start(&supervisor->timer, on_uv_timer, deadline_ms, 0);
    else
        uv_timer_stop(&supervisor->timer);
}

static void kill_process(struct supervisor *supervisor)
{
    if (supervisor->exited)
        return;
    supervisor->killed = true;
    child_kill(&supervisor->child);
}

/* ---- death ---- */

/* Deaths that a request can cause. A SIGKILL or SIGTERM from outside is nobody's fault here. */
static bool is_suspicious(const struct supervisor *supervisor)
{
    if (supervisor->hung || supervisor->breached || child_is_fault(supervisor->exit_signal))
        return true;
    return supervisor->exit_signal == 0 && (supervisor->exit_status != 0 || supervisor->requests);
}

static enum crew_reason death_reason(const struct supervisor *supervisor)
{
    if (supervisor->hung)
        return CREW_HUNG;
    if (supervisor->breached)
        return CREW_BREACHED;
    if (is_suspicious(supervisor))
        return CREW_CRASHED;
    return supervisor->exit_signal ? CREW_KILLED : CREW_EXITED;
}

/* Only deaths of its own making make the next start wait longer each time: whoever kills workers, or
 * stops them, should find them back at once. */
static uint64_t next_backoff(struct supervisor *supervisor)
{
    const struct conf *conf = supervisor->daemon->conf;
    enum crew_reason reason = death_reason(supervisor);
    bool young = uv_now(&supervisor->daemon->loop) - supervisor->started_ms < YOUNG_MS;
    bool own_making = !supervisor->was_ready || (reason != CREW_KILLED && reason != CREW_HUNG);
    if (!young)
        supervisor->backoff_ms = 0;
    else if (supervisor->backoff_ms == 0 || !own_making)
        supervisor->backoff_ms = conf->backoff_min_ms;
    else
        supervisor->backoff_ms *= 2;
    if (supervisor->backoff_ms > conf->backoff_max_ms)
        supervisor->backoff_ms = conf->backoff_max_ms;
    return supervisor->backoff_ms;
}

static void write_obituary(const struct supervisor *supervisor, unsigned lost)
{
    const char *reason = crew_reason_name(death_reason(supervisor));
    if (supervisor->exit_signal)
        log_warning("worker %u: pid %u %s, signal %d (%s), %u requests to place again or to fail",
                    supervisor->number, supervisor->pid, reason, supervisor->exit_signal,
                    child_signal_name(supervisor->exit_signal), lost);
    else if (supervisor->exit_status != 0 || lost > 0)
        log_warning("worker %u: pid %u %s, status %lld%s, %u requests to place again or to fail", supervisor->number,
                    supervisor->pid, reason, (long long)supervisor->exit_status,
                    child_status_name(supervisor->exit_status), lost);
    else
        log_info("worker %u: pid %u is gone", supervisor->number, supervisor->pid);
}

/* All it said has been read, and how it died is known: what it left unanswered is lost. */
static void bury(struct supervisor *supervisor, const char *why)
{
    (void)why;
    if (!supervisor->exited || !supervisor->hung_up)
        return;
    uv_timer_stop(&supervisor->timer);
    write_obituary(supervisor, HASH_CNT(worker_handle, supervisor->requests));
    struct request_detail detail = { .suspicious = is_suspicious(supervisor),
                                     .alone = HASH_CNT(worker_handle, supervisor->requests) == 1 };
    while (supervisor->requests)
        request_event(supervisor->requests, REQUEST_LOST, &detail);
}

static void hang_up(struct supervisor *supervisor)
{
    supervisor->hung_up = true;
    ipc_channel_close(&supervisor->channel);
    ipc_buffer_consume(&supervisor->held, ipc_buffer_length(&supervisor->held));
}

/* Channel or process has ended; the other follows at once, or is made to. */
static void wind_up(struct supervisor *supervisor, const char *why)
{
    enter_state(supervisor, SUPERVISOR_DYING, PARTING_MS);
    bury(supervisor, why);
}

/* ---- what events do ---- */

static void start(struct supervisor *supervisor, const char *why);

/* Told once a start; a worker that can't be confined has ended instead. */
static void note_ready(struct supervisor *supervisor, const struct ipc_ready *ready)
{
    log_info("worker %u: ready, pid %u, sandbox: %.*s", supervisor->number, supervisor->pid,
             (int)ready->sandbox.length, ready->sandbox.length > 0 ? ready->sandbox.data : "");
}

static void become_ready(struct supervisor *supervisor, const char *why)
{
    (void)why;
    supervisor->was_ready = true;
    enter_state(supervisor, SUPERVISOR_READY, supervisor->daemon->conf->hang_timeout_ms);
    crew_worker_ready(&supervisor->daemon->crew, supervisor);
}

static void condemn(struct supervisor *supervisor, const char *why)
{
    log_error("worker %u: pid %u %s, killing it", supervisor->number, supervisor->pid, why);
    supervisor->breached = true;
    kill_process(supervisor);
    hang_up(supervisor);
    wind_up(supervisor, why);
}

static void abort_hung(struct supervisor *supervisor, const char *why)
{
    (void)why;
    log_warning("worker %u: pid %u said nothing for %llu ms, aborting it", supervisor->number, supervisor->pid,
                (unsigned long long)(uv_now(&supervisor->daemon->loop) - supervisor->heard_ms));
    supervisor->hung = true;
    enter_state(supervisor, SUPERVISOR_ABORTING, ABORT_GRACE_MS);
    if (!supervisor->exited)
        child_abort(&supervisor->child);
}

static void kill_now(struct supervisor *supervisor, const char *why)
{
    (void)why;
    kill_process(supervisor);
}

/* One of the two ends did not come: neither a process without a channel nor the reverse is of use. */
static void force(struct supervisor *supervisor, const char *why)
{
    if (supervisor->hung_up && !supervisor->exited && !supervisor->killed)
        supervisor->breached = true;   /* it let go of its channel, and lives */
    kill_process(supervisor);
    if (supervisor->exited && !supervisor->hung_up)
        hang_up(supervisor);
    bury(supervisor, why);
}

/* When the daemon stops, every request has its DONE already. */
static uint64_t drain_time_ms(const struct supervisor *supervisor)
{
    uint64_t drain_ms = supervisor->daemon->conf->worker_drain_ms;
    return supervisor->daemon->crew.closing && drain_ms > LEAVE_MS ? LEAVE_MS : drain_ms;
}

static void drain(struct supervisor *supervisor, const char *why)
{
    struct ipc_goaway goaway;
    uint64_t drain_ms = drain_time_ms(supervisor);
    IPC_INIT(GOAWAY, &goaway);
    goaway.reason = ipc_text(why);
    goaway.drain_ms = drain_ms;
    supervisor->drain_until_ms = uv_now(&supervisor->daemon->loop) + drain_ms;
    enter_state(supervisor, SUPERVISOR_DRAINING, drain_ms < RECHECK_MS ? drain_ms + 1 : RECHECK_MS);
    supervisor_send(supervisor, IPC_GOAWAY, 0, &goaway);
}

/* It was leaving in its own time, and now the daemon leaves. */
static void drain_sooner(struct supervisor *supervisor, const char *why)
{
    uint64_t until_ms = uv_now(&supervisor->daemon->loop) + drain_time_ms(supervisor);
    (void)why;
    if (until_ms < supervisor->drain_until_ms)
        supervisor->drain_until_ms = until_ms;
    uv_timer_start(&supervisor->timer, on_uv_timer, RECHECK_MS, 0);
}

static void settle_down(struct supervisor *supervisor)
{
    enter_state(supervisor, SUPERVISOR_STOPPED, 0);
    crew_worker_stopped(&supervisor->daemon->crew, supervisor);
}

static void restart_later(struct supervisor *supervisor, const char *why)
{
    (void)why;
    if (supervisor->stays_down) {
        settle_down(supervisor);
        return;
    }
    uint64_t wait_ms = next_backoff(supervisor);
    supervisor->restarts++;
    supervisor->daemon->crew.restarts[death_reason(supervisor)]++;
    if (wait_ms > 0)
        log_notice("worker %u: died young, starting again in %llu ms", supervisor->number,
                   (unsigned long long)wait_ms);
    enter_state(supervisor, SUPERVISOR_WAITING, wait_ms);
    if (wait_ms == 0)
        start(supervisor, NULL);
}

static void stop_living(struct supervisor *supervisor, const char *why)
{
    supervisor->stays_down = true;
    kill_process(supervisor);
    wind_up(supervisor, why);
}

static void stay_down(struct supervisor *supervisor, const char *why)
{
    (void)why;
    supervisor->stays_down = true;
    settle_down(supervisor);
}

static void note_stop(struct supervisor *supervisor, const char *why)
{
    (void)why;
    supervisor->stays_down = true;
    kill_process(supervisor);
}

static void ignore(struct supervisor *supervisor, const char *why)
{
    (void)supervisor;
    (void)why;
}

typedef void reaction(struct supervisor *supervisor, const char *why);

/* THE table of a worker's life. NULL: can't happen, an assert's matter. */
static reaction *const reactions[SUPERVISOR_STATES][SUPERVISOR_EVENTS] = {
    /*                         SPAWN   HELLO         SILENCE     BREACH   HANGUP   EXIT     GONE           DRAIN        STOP */
    [SUPERVISOR_WAITING]  = { start,  NULL,         start,      NULL,    NULL,    NULL,    NULL,          stay_down,   stay_down },
    [SUPERVISOR_STARTING] = { NULL,   become_ready, abort_hung, condemn, wind_up, wind_up, NULL,          stop_living, stop_living },
    [SUPERVISOR_READY]    = { NULL,   condemn,      abort_hung, condemn, wind_up, wind_up, NULL,          drain,       stop_living },
    [SUPERVISOR_DRAINING] = { NULL,   condemn,      abort_hung, condemn, wind_up, wind_up, NULL,          drain_sooner, stop_living },
    [SUPERVISOR_ABORTING] = { NULL,   ignore,       kill_now,   condemn, wind_up, wind_up, NULL,          ignore,      stop_living },
    [SUPERVISOR_DYING]    = { NULL,   ignore,       force,      condemn, bury,    bury,    restart_later, ignore,      note_stop },
    [SUPERVISOR_STOPPED]  = { NULL,   NULL,         NULL,       NULL,    NULL,    NULL,    NULL,          ignore,      ignore },
};

void supervisor_event(struct supervisor *supervisor, enum supervisor_event event, const char *why)
{
    reaction *react = reactions[supervisor->state][event];
    if (!react) {
        log_error("worker %u: %s while %s, which can't happen; ignoring", supervisor->number, event_names[event],
                  state_names[supervisor->state]);
        return;
    }
    react(supervisor, why);
}

void supervisor_breach(struct supervisor *supervisor, const char *why)
{
    char text[256];
    snprintf(text, sizeof text, "broke the protocol (%s)", why);
    supervisor_event(supervisor, SUPERVISOR_BREACH, text);
}

/* ---- silence ---- */

static uint64_t allowed_silence_ms(const struct supervisor *supervisor)
{
    const struct conf *conf = supervisor->daemon->conf;
    return supervisor->state == SUPERVISOR_STARTING ? conf->start_timeout_ms : conf->hang_timeout_ms;
}

static bool listens(const struct supervisor *supervisor)
{
    return supervisor->state == SUPERVISOR_STARTING || supervisor->state == SUPERVISOR_READY
        || supervisor->state == SUPERVISOR_DRAINING;
}

/* The timer was set when the state began; frames since then only moved heard_ms, which is nothing to one
 * that is still to say READY. How long silence may last; 0: too long already. The channel is drained before
 * judging: when this loop itself slept, the beats lie in the socket. */
static uint64_t patience_ms(const struct supervisor *supervisor)
{
    uint64_t now_ms = uv_now(&supervisor->daemon->loop), since_ms, until_ms;
    since_ms = supervisor->state == SUPERVISOR_STARTING ? supervisor->started_ms : supervisor->heard_ms;
    until_ms = since_ms + allowed_silence_ms(supervisor);
    if (now_ms < until_ms)
        return until_ms - now_ms;
    return daemon_overslept(supervisor->daemon) ? RECHECK_MS : 0;
}

static void on_uv_timer(uv_timer_t *timer)
{
    struct supervisor *supervisor = timer->data;
    uint64_t now_ms = uv_now(&supervisor->daemon->loop), wait_ms = 0;
    if (supervisor->deaf) {
        supervisor->deaf = false;   /* the next process is none the worse for it */
        supervisor_breach(supervisor, "it does not read what it is sent");
        return;
    }
    if (supervisor->state == SUPERVISOR_DRAINING && now_ms >= supervisor->drain_until_ms) {
        supervisor_event(supervisor, SUPERVISOR_STOP, "its drain deadline is over");
        return;
    }
    if (listens(supervisor))
        wait_ms = patience_ms(supervisor);
    if (supervisor->state == SUPERVISOR_DRAINING && wait_ms > supervisor->drain_until_ms - now_ms)
        wait_ms = supervisor->drain_until_ms - now_ms;
    if (wait_ms > 0)
        uv_timer_start(timer, on_uv_timer, wait_ms, 0);
    else
        supervisor_event(supervisor, SUPERVISOR_SILENCE, "is silent");
}

/* ---- frames ---- */

typedef void on_message(struct supervisor *supervisor, const union ipc_any *message);

static void on_ready(struct supervisor *supervisor, const union ipc_any *message)
{
    if (supervisor->state == SUPERVISOR_STARTING)
        note_ready(supervisor, &message->ready);
    supervisor_event(supervisor, SUPERVISOR_HELLO, "said READY twice");
}

static void on_beat(struct supervisor *supervisor, const union ipc_any *message)
{
    supervisor->beat = message->beat;
}

static void on_ping(struct supervisor *supervisor, const union ipc_any *message)
{
    struct ipc_pong pong = { .token = message->ping.token };
    supervisor_send(supervisor, IPC_PONG, 0, &pong);
}

static void on_pong(struct supervisor *supervisor, const union ipc_any *message)
{
    (void)supervisor;
    (void)message;
}

static void on_error(struct supervisor *supervisor, const union ipc_any *message)
{
    log_warning("worker %u: reports %.*s: %.*s", supervisor->number, (int)message->error.name.length,
                message->error.name.data, (int)message->error.message.length, message->error.message.data);
}

/* Sends DATA frames that waited for the connection's credit, as far as it goes now. */
static void release_held(struct supervisor *supervisor)
{
    struct ipc_frame frame;
    struct ipc_buffer *held = &supervisor->held;
    while (ipc_frame_read(ipc_buffer_data(held), ipc_buffer_length(held), &frame, NULL) == IPC_FRAME_OK) {
        int64_t cost = daemon_frame_cost(supervisor->daemon, IPC_CLIENT, &frame);
        if (cost > supervisor->upload_credit)
            return;
        supervisor->upload_credit -= cost;
        if (ipc_channel_send_body(&supervisor->channel, frame.type, frame.id, frame.body, frame.body_length) < 0)
            note_deaf(supervisor);
        ipc_buffer_consume(held, frame.whole_length);
    }
}

static void note_started(struct supervisor *supervisor, uint32_t id)
{
    bool was_full = !supervisor_has_room(supervisor);
    if (id > supervisor->started_id)
        supervisor->started_id = id;
    if (was_full && supervisor_has_room(supervisor))
        daemon_wake_queue(supervisor->daemon);
}

static void on_started(struct supervisor *supervisor, const union ipc_any *message)
{
    if (message->started.last_id > supervisor->last_id)
        supervisor_breach(supervisor, "it started what it was not given");
    else
        note_started(supervisor, (uint32_t)message->started.last_id);
}

static void on_connection_credit(struct supervisor *supervisor, const union ipc_any *message)
{
    if (!ipc_credit_add(&supervisor->upload_credit, message->credit.bytes))
        supervisor_breach(supervisor, "too much credit");
    else
        release_held(supervisor);
}

/* What a worker may say about the connection. */
static const struct { unsigned number; on_message *react; } connection_messages[] = {
    { IPC_READY, on_ready }, { IPC_BEAT, on_beat }, { IPC_PING, on_ping }, { IPC_PONG, on_pong },
    { IPC_ERROR, on_error }, { IPC_CREDIT, on_connection_credit }, { IPC_STARTED, on_started },
};

/* ... and about a request. */
static const struct { unsigned number; enum request_event event; } request_messages[] = {
    { IPC_RESPONSE, REQUEST_RESPONSE }, { IPC_DATA, REQUEST_DATA }, { IPC_DONE, REQUEST_DONE },
    { IPC_HOP, REQUEST_HOP }, { IPC_MESSAGE, REQUEST_MESSAGE },
    { IPC_FLUSHED, REQUEST_FLUSHED }, { IPC_SENDING, REQUEST_SENDING }, { IPC_CREDIT, REQUEST_UPLOAD_CREDIT },
};

static void on_connection_frame(struct supervisor *supervisor, const struct ipc_frame *frame)
{
    union ipc_any message;
    for (size_t i = 0; i < sizeof connection_messages / sizeof connection_messages[0]; i++) {
        if (connection_messages[i].number != frame->type)
            continue;
        if (ipc_unpack(&supervisor->daemon->decoder, IPC_WORKER, frame, &message) < 0)
            supervisor_breach(supervisor, supervisor->daemon->decoder.reason);
        else
            connection_messages[i].react(supervisor, &message);
        return;
    }
    supervisor_breach(supervisor, "a message without a request");
}

/* Payload takes of the connection's window, and is consumed as soon as it is here: each request's own
 * credit bounds what then waits for its client. */
static bool charge_window(struct supervisor *supervisor, size_t payload_bytes)
{
    if (!ipc_window_spend(&supervisor->window, payload_bytes)) {
        supervisor_breach(supervisor, "payload beyond the connection's credit");
        return false;
    }
    struct ipc_credit credit = { .bytes = (uint64_t)ipc_window_consume(&supervisor->window, payload_bytes) };
    if (credit.bytes > 0)
        supervisor_send(supervisor, IPC_CREDIT, 0, &credit);
    return true;
}

static bool is_forgotten(const struct supervisor *supervisor, uint32_t id)
{
    for (unsigned i = 0; i < SUPERVISOR_FORGOTTEN; i++)
        if (supervisor->forgotten[i] == id)
            return id != 0;
    return false;
}

/* A client is promised names of errors.def. */
static bool has_known_name(const struct ipc_failure *failure)
{
    enum ipc_error_code code = ipc_error_find(failure->name.data, failure->name.length);
    return ipc_text_is(failure->name, ipc_error_name(code));
}

static void deliver(struct supervisor *supervisor, const struct ipc_frame *frame, enum request_event event)
{
    struct request_detail detail = { .frame = frame };
    union ipc_any message;
    if (frame->type == IPC_DATA) {
        if (ipc_unpack_data(&supervisor->daemon->decoder, frame, &detail.payload) < 0) {
            supervisor_breach(supervisor, supervisor->daemon->decoder.reason);
            return;
        }
        if (!charge_window(supervisor, detail.payload.length))
            return;
    } else {
        if (frame->body_length > RELAYED_BYTES) {
            supervisor_breach(supervisor, "a message too large to pass on");
            return;
        }
        if (ipc_unpack(&supervisor->daemon->decoder, IPC_WORKER, frame, &message) < 0) {
            supervisor_breach(supervisor, supervisor->daemon->decoder.reason);
            return;
        }
        if (frame->type == IPC_DONE && message.done.error && !has_known_name(message.done.error)) {
            supervisor_breach(supervisor, "an error of a name that is none");
            return;
        }
        if (frame->type == IPC_MESSAGE && !charge_window(supervisor, message.message.data.length))
            return;
        detail.message = &message;
    }
    struct request *request = request_of_worker(supervisor, frame->id);
    if (!request && frame->type == IPC_DONE && is_forgotten(supervisor, frame->id))
        return;
    if (!request) {
        supervisor_breach(supervisor, "a message for a request it does not have");
        return;
    }
    note_started(supervisor, frame->id);
    request_event(request, event, &detail);
}

static void on_request_frame(struct supervisor *supervisor, const struct ipc_frame *frame)
{
    for (size_t i = 0; i < sizeof request_messages / sizeof request_messages[0]; i++) {
        if (request_messages[i].number == frame->type) {
            deliver(supervisor, frame, request_messages[i].event);
            return;
        }
    }
    supervisor_breach(supervisor, "a message that is not a worker's");
}

static void on_frame(struct ipc_channel *channel, const struct ipc_frame *frame)
{
    struct supervisor *supervisor = channel->owner;
    supervisor->heard_ms = uv_now(&supervisor->daemon->loop);
    if (frame->id == 0)
        on_connection_frame(supervisor, frame);
    else
        on_request_frame(supervisor, frame);
}

static void on_end(struct ipc_channel *channel, int status, const char *reason)
{
    struct supervisor *supervisor = channel->owner;
    if (status == UV_EPROTO) {
        supervisor_breach(supervisor, reason);
        return;
    }
    hang_up(supervisor);
    supervisor_event(supervisor, SUPERVISOR_HANGUP, "closed its channel");
}

/* ---- handles ---- */

static void on_handle_closed(struct supervisor *supervisor)
{
    if (--supervisor->open_handles == 0)
        supervisor_event(supervisor, SUPERVISOR_GONE, "is gone");
}

static void on_channel_closed(struct ipc_channel *channel)
{
    on_handle_closed(channel->owner);
}

static void on_uv_closed(uv_handle_t *handle)
{
    on_handle_closed(handle->data);
}

static const struct ipc_channel_calls channel_calls = { on_frame, on_end, NULL, on_channel_closed };

static void on_process_closed(struct child *child)
{
    on_handle_closed(child->owner);
}

static void on_process_exit(struct child *child, int64_t status, int signal)
{
    struct supervisor *supervisor = child->owner;
    supervisor->exited = true;
    supervisor->exit_status = status;
    supervisor->exit_signal = signal;
    child_close(child, on_process_closed);
    supervisor_event(supervisor, SUPERVISOR_EXIT, "exited");
}

/* ---- the log a worker writes ---- */

/* "<4>text" has its level in front, as sd-daemon(3) has it; a library's dying words have none. */
static void relay_line(struct supervisor *supervisor)
{
    const char *text = supervisor->log_line;
    enum log_level level = LOG_LEVEL_WARNING;
    if (supervisor->log_length > 0 && supervisor->log_line[supervisor->log_length - 1] == '\r')
        supervisor->log_length--;   /* Windows' end of a line */
    supervisor->log_line[supervisor->log_length] = '\0';
    if (text[0] == '<' && text[1] >= '0' && text[1] <= '7' && text[2] == '>') {
        level = text[1] < '3' ? LOG_LEVEL_ERROR : (enum log_level)(text[1] - '0');
        text += 3;
    }
    if (*text)
        log_write(level, "worker %u: %s", supervisor->number, text);
    supervisor->log_length = 0;
}

static void on_uv_log_alloc(uv_handle_t *handle, size_t size, uv_buf_t *ret_buffer)
{
    struct supervisor *supervisor = handle->data;
    (void)size;
    *ret_buffer = uv_buf_init((char *)supervisor->daemon->log_scratch, sizeof supervisor->daemon->log_scratch);
}

static void on_uv_log_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct supervisor *supervisor = stream->data;
    if (got < 0) {
        relay_line(supervisor);
        if (!uv_is_closing((uv_handle_t *)stream))
            uv_close((uv_handle_t *)stream, on_uv_closed);
        return;
    }
    for (ssize_t i = 0; i < got; i++) {
        if (buffer->base[i] == '\n')
            relay_line(supervisor);
        else if (supervisor->log_length < sizeof supervisor->log_line - 1)
            supervisor->log_line[supervisor->log_length++] = buffer->base[i] ? buffer->base[i] : ' ';
    }
}

/* ---- birth ---- */

static void open_handles(struct supervisor *supervisor, const struct spawned *spawned)
{
    struct daemon *daemon = supervisor->daemon;
    supervisor->open_handles = 2;   /* process and log */
    supervisor->exited = supervisor->hung_up = supervisor->deaf = false;
    supervisor->hung = supervisor->breached = supervisor->killed = false;
    supervisor->exit_signal = 0;
    supervisor->exit_status = 0;
    supervisor->pid = supervisor->child.pid;
    supervisor->started_ms = supervisor->heard_ms = uv_now(&daemon->loop);
    supervisor->last_id = supervisor->started_id = 0;
    memset(supervisor->forgotten, 0, sizeof supervisor->forgotten);
    ipc_buffer_consume(&supervisor->held, ipc_buffer_length(&supervisor->held));   /* its predecessor's */
    supervisor->log_length = 0;
    supervisor->served_here = 0;
    supervisor->upload_credit = IPC_CONNECTION_WINDOW;
    ipc_window_init(&supervisor->window, IPC_CONNECTION_WINDOW);
    IPC_INIT(BEAT, &supervisor->beat);
    uv_pipe_init(&daemon->loop, &supervisor->log, 0);
    uv_pipe_open(&supervisor->log, spawned->log_fd);
    supervisor->log.data = supervisor;
    uv_read_start((uv_stream_t *)&supervisor->log, on_uv_log_alloc, on_uv_log_read);
    enter_state(supervisor, SUPERVISOR_STARTING, daemon->conf->start_timeout_ms);
}

static void on_stillborn_closed(struct child *child)
{
    supervisor_event(child->owner, SUPERVISOR_GONE, "was not born");
}

/* Asked to stop meanwhile, it must not settle down before its handle has closed. */
static void close_stillborn(struct supervisor *supervisor)
{
    enter_state(supervisor, SUPERVISOR_DYING, 0);
    child_close(&supervisor->child, on_stillborn_closed);
}

/* From max_rss on it is replaced, with time to end what it has: that must fit too. */
static uint64_t memory_limit(const struct conf *conf)
{
    return conf->max_rss_bytes < UINT64_MAX / 2 ? 2 * conf->max_rss_bytes : 0;
}

static void start(struct supervisor *supervisor, const char *why)
{
    struct daemon *daemon = supervisor->daemon;
    struct spawn_order order = { daemon->worker_program, daemon->arguments.no_sandbox, memory_limit(daemon->conf) };
    struct spawned spawned;
    (void)why;
    supervisor->child = (struct child){ .owner = supervisor, .on_exit = on_process_exit };
    supervisor->exited = true;
    int status = spawn_worker(&daemon->loop, &supervisor->child, &order, &spawned);
    if (status < 0) {
        log_error("worker %u: %s can't be started: %s", supervisor->number, daemon->worker_program,
                  uv_strerror(status));
        supervisor->started_ms = uv_now(&daemon->loop);
        if (supervisor->child.open)
            close_stillborn(supervisor);
        else
            uv_timer_start(&supervisor->timer, on_uv_timer, next_backoff(supervisor), 0);
        return;
    }
    open_handles(supervisor, &spawned);
    status = ipc_channel_open(&supervisor->channel, &daemon->hub, spawned.channel_fd, IPC_DAEMON_TO_WORKER,
                              CHANNEL_LIMIT_BYTES, &channel_calls, supervisor);
    if (status < 0) {
        supervisor->hung_up = true;
        kill_process(supervisor);
        wind_up(supervisor, uv_strerror(status));
        return;
    }
    supervisor->channel.out.wipes = true;
    supervisor->open_handles++;
    daemon_send_settings(daemon, supervisor);
}

struct supervisor *supervisor_create(struct daemon *daemon, uint32_t seat, unsigned number)
{
    struct supervisor *supervisor = calloc(1, sizeof *supervisor);
    if (!supervisor)
        return NULL;
    supervisor->daemon = daemon;
    supervisor->seat = seat;
    supervisor->number = number;
    supervisor->state = SUPERVISOR_WAITING;
    ipc_buffer_init(&supervisor->held, CHANNEL_LIMIT_BYTES);
    uv_timer_init(&daemon->loop, &supervisor->timer);
    supervisor->timer.data = supervisor;
    return supervisor;
}

static void on_uv_timer_closed(uv_handle_t *handle)
{
    struct supervisor *supervisor = handle->data;
    ipc_buffer_finish(&supervisor->held);
    free(supervisor);
}

void supervisor_destroy(struct supervisor *supervisor)
{
    uv_close((uv_handle_t *)&supervisor->timer, on_uv_timer_closed);
}

/* ---- requests ---- */

bool supervisor_has_room(const struct supervisor *supervisor)
{
    return supervisor->last_id - supervisor->started_id < SUPERVISOR_UNSTARTED;
}

void supervisor_enter(struct supervisor *supervisor, struct request *request)
{
    request->worker_id = ++supervisor->last_id;
    if (supervisor->seat == CREW_NO_SEAT) {
        memcpy(supervisor->last_origin, request->origin->key, sizeof supervisor->last_origin);
        supervisor->last_group = request->group;
    }
    supervisor->busy_ms = uv_now(&supervisor->daemon->loop);
    supervisor_adopt(supervisor, request);
}

void supervisor_adopt(struct supervisor *supervisor, struct request *request)
{
    request->supervisor = supervisor;
    HASH_ADD(worker_handle, supervisor->requests, worker_id, sizeof request->worker_id, request);
    crew_add_load(&supervisor->daemon->crew, supervisor->seat);
}

void supervisor_leave(struct supervisor *supervisor, struct request *request)
{
    HASH_DELETE(worker_handle, supervisor->requests, request);
    crew_remove_load(&supervisor->daemon->crew, supervisor->seat);
    daemon_wake_queue(supervisor->daemon);   /* it may be below its bound again, or its quarantine free */
    request->supervisor = NULL;
}

void supervisor_forget(struct supervisor *supervisor, uint32_t id)
{
    struct ipc_go go = { .here = false };
    supervisor->forgotten[supervisor->forgotten_at++ % SUPERVISOR_FORGOTTEN] = id;
    supervisor_send(supervisor, IPC_GO, id, &go);
}

/* Whoever sends is in the midst of a request that the worker's end would take away: so that comes
 * in a turn of its own. */
static void note_deaf(struct supervisor *supervisor)
{
    supervisor->deaf = true;
    uv_timer_start(&supervisor->timer, on_uv_timer, 0, 0);
}

void supervisor_send(struct supervisor *supervisor, unsigned number, uint32_t id, const void *message)
{
    if (ipc_channel_send(&supervisor->channel, number, id, message) < 0)
        note_deaf(supervisor);
}

void supervisor_send_descriptor(struct supervisor *supervisor, unsigned number, uint32_t id, int fd)
{
    if (ipc_channel_send_descriptor(&supervisor->channel, number, id, NULL, fd) < 0)
        note_deaf(supervisor);
}

/* Takes the connection's credit for a payload; false when it must be held until there is more. */
static bool take_credit(struct supervisor *supervisor, size_t payload_bytes)
{
    int64_t cost = ipc_credit_cost(payload_bytes);
    if (ipc_buffer_length(&supervisor->held) > 0 || cost > supervisor->upload_credit)
        return false;
    supervisor->upload_credit -= cost;
    return true;
}

void supervisor_send_data(struct supervisor *supervisor, uint32_t id, const void *data, size_t bytes)
{
    int result = take_credit(supervisor, bytes) ? ipc_channel_send_data(&supervisor->channel, id, data, bytes)
                                                : ipc_pack_data(&supervisor->held, id, data, bytes);
    if (result < 0)
        note_deaf(supervisor);
}

void supervisor_send_message(struct supervisor *supervisor, uint32_t id, const struct ipc_frame *frame,
                             size_t payload_bytes)
{
    int result = take_credit(supervisor, payload_bytes)
        ? ipc_channel_send_body(&supervisor->channel, IPC_MESSAGE, id, frame->body, frame->body_length)
        : ipc_pack_body(&supervisor->held, IPC_MESSAGE, id, frame->body, frame->body_length);
    if (result < 0)
        note_deaf(supervisor);
}
