/* One fetch in flight. */
#include "request_steps.h"

#include "daemon.h"
#include "jar.h"
#include "log.h"
#include "session.h"
#include "sleeper.h"
#include "supervisor.h"

#include <stdio.h>

static const char *const state_names[REQUEST_STATES] = {
    [REQUEST_QUEUED] = "queued", [REQUEST_WAITING] = "waiting", [REQUEST_PLACED] = "placed",
    [REQUEST_ANSWERED] = "answered", [REQUEST_ABANDONED] = "abandoned",
};
static const char *const event_names[REQUEST_EVENTS] = {
    [REQUEST_ASSIGN] = "assign", [REQUEST_WAKE] = "wake", [REQUEST_REFUSE] = "refuse", [REQUEST_EXPIRE] = "expire",
    [REQUEST_SENDING] = "sending", [REQUEST_HOP] = "hop", [REQUEST_RESPONSE] = "response", [REQUEST_DATA] = "data",
    [REQUEST_MESSAGE] = "message", [REQUEST_FLUSHED] = "flushed", [REQUEST_TELL] = "tell",
    [REQUEST_FLUSH] = "flush", [REQUEST_OUTPUT] = "output", [REQUEST_UPLOAD_CREDIT] = "upload credit",
    [REQUEST_DONE] = "done", [REQUEST_LOST] = "lost", [REQUEST_BODY] = "body", [REQUEST_CREDIT] = "credit",
    [REQUEST_REWOUND] = "rewound", [REQUEST_CANCEL] = "cancel", [REQUEST_HANGUP] = "hangup",
    [REQUEST_SHUTDOWN] = "shutdown",
};

const char *request_state_name(enum request_state state) { return state_names[state]; }
const char *request_event_name(enum request_event event) { return event_names[event]; }

struct request *request_of_worker(struct supervisor *supervisor, uint32_t worker_id)
{
    struct request *request;
    HASH_FIND(worker_handle, supervisor->requests, &worker_id, sizeof worker_id, request);
    return request;
}

/* ---- what the events do ---- */

typedef void reaction(struct request *request, const struct request_detail *detail);

static void assign(struct request *request, const struct request_detail *detail)
{
    request_place(request, detail->supervisor);
}

/* Its gate is open, or it has the alarm of its origin's line; whose turn it is there may be another's. */
static void wake_queued(struct request *request, const struct request_detail *detail)
{
    struct origin *origin = request->origin;
    struct request *next = line_first(&origin->line);
    (void)detail;
    if (!request->parked) {
        daemon_enqueue(request->daemon, request, false);
        return;
    }
    origin->alarmed = NULL;
    if (!next)
        return;
    request_unpark(next, true);
    next->unparked = true;
    daemon_enqueue(next->daemon, next, true);
}

static void wake_waiting(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    request_queue_again(request);
}

static void refuse_queued(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    request_fail(request, IPC_ERROR_ORIGIN_UNAVAILABLE, true, NULL);
    request_destroy(request);
}

/* One held back by its origin's limits is not told that workers were missing. */
static void fail_at_limit(struct request *request)
{
    const struct origin *origin = request->origin;
    char text[IPC_ORIGIN_BYTES + 128];
    snprintf(text, sizeof text, "the limit of %s held it back too long ([origin] %s, [limits] queue_timeout)",
             origin->key, origin_limit_name(&request->daemon->origins, request->origin));
    request_fail(request, IPC_ERROR_OVERLOADED, true, text);
}

static void expire(struct request *request, const struct request_detail *detail)
{
    bool own = request->expires_ms && uv_now(&request->daemon->loop) >= request->expires_ms;
    (void)detail;
    if (own)
        request_fail(request, IPC_ERROR_TIMEOUT_TOTAL, true, NULL);
    else if (request->at_gate)
        request_fail(request, IPC_ERROR_OVERLOADED, true,
                     "other WebSocket handshakes of this user to this origin did not end in time ([origin] handshakes)");
    else if (request->parked || request->unparked)
        fail_at_limit(request);
    else
        request_fail(request, IPC_ERROR_OVERLOADED, true, "no worker could take it in time ([limits] queue_timeout)");
    request_destroy(request);
}

/* Once a hop, for a worker that was asked to: a redirect can have made it a GET since. */
static void note_sending(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    if (!request->announces || request->sending)
        supervisor_breach(request->supervisor, "SENDING unasked");
    else
        request->sending = true;
}

static void answer(struct request *request, const struct request_detail *detail)
{
    const struct ipc_response *response = &detail->message->response;
    request_note_outcome(request, response->status < 500);
    request_note_proxy(request, IPC_ERROR_NONE);
    if (!request_remember(request, response->set_cookies.items, response->set_cookies.count, response->hsts)
        || request_retry_answer(request, response))
        return;
    request->state = REQUEST_ANSWERED;
    request_leave_gate(request);
    if (request->jar)
        session_send(request->session, IPC_RESPONSE, request->client_id, response);   /* less the cookies */
    else
        session_send_body(request->session, IPC_RESPONSE, request->client_id, detail->frame->body,
                          detail->frame->body_length);
}

static void finish(struct request *request, const struct request_detail *detail)
{
    struct ipc_done done = detail->message->done;
    struct ipc_failure failure;
    if (!done.error && request->state != REQUEST_ANSWERED) {
        supervisor_breach(request->supervisor, "DONE without a RESPONSE");
        return;
    }
    request_note_handshake(request, &done);
    if (done.error && request_retry_failure(request, done.error))
        return;
    done.attempts = request->attempts;
    done.redirects = request->redirects;
    done.queue_us = request->waited_ms * 1000;
    done.redirect_us = request->redirects > 0 ? (request->hop_ms - request->begun_ms) * 1000 : 0;
    done.worker = request->supervisor->number;
    if (done.error) {
        failure = *done.error;
        failure.attempts = done.attempts;
        failure.worker = done.worker;
        done.error = &failure;
        request->supervisor->failed++;
    }
    request->supervisor->served++;
    request->supervisor->served_here++;
    request_send_done(request, &done);
    request_destroy(request);
}

static void discard(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    request_destroy(request);
}

/* A poison request is with fewer others from its second suspicious death on, and at last only with itself. */
static bool is_poison(struct request *request, const struct request_detail *detail)
{
    if (!detail->suspicious)
        return false;
    request->deaths++;
    return request->deaths > REQUEST_MOST_DEATHS || (request->deaths > REQUEST_SUSPECT_DEATHS && detail->alone);
}

static void lose_placed(struct request *request, const struct request_detail *detail)
{
    bool poison = is_poison(request, detail), too_often = ++request->losses > REQUEST_MOST_LOSSES;
    if (poison || too_often || !request_may_start_over(request)) {
        request_fail(request, IPC_ERROR_WORKER_LOST, request->idempotent && !detail->suspicious,
                     too_often ? "worker after worker died while it had it" : NULL);
        request_destroy(request);
        return;
    }
    request_leave_worker(request);
    request_start_body_over(request);
    request_queue_again(request);
}

/* A WebSocket that asked for it is opened again; what was on its way is gone, and the client knows. What it
 * says before it has answered with REWIND was meant for the old socket: on the new one it would be out of
 * place, and beyond its credit. */
static void reopen(struct request *request)
{
    struct ipc_reopen reopened = { .attempt = request->attempts };
    request_leave_worker(request);
    request->rewinds_due++;
    request->upload_credit = request->upload_withheld = 0;
    session_send(request->session, IPC_REOPEN, request->client_id, &reopened);
    request->attempts = 1;
    if (request_retry_later(request, 0))
        return;
    request_fail(request, IPC_ERROR_WORKER_LOST, true,
                 "the worker died, and no time is left to open the WebSocket again");
    request_destroy(request);
}

static void lose_answered(struct request *request, const struct request_detail *detail)
{
    if (request->websocket && request->reconnect && !is_poison(request, detail)) {
        reopen(request);
        return;
    }
    request_fail(request, IPC_ERROR_WORKER_LOST, request->idempotent, "the worker died in the midst of the body");
    request_destroy(request);
}

static void cancel_queued(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    request_fail(request, IPC_ERROR_CANCELLED, true, NULL);
    request_destroy(request);
}

static void cancel_placed(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    request_fail(request, IPC_ERROR_CANCELLED, true, NULL);
    request_abandon(request);
}

static void hangup_placed(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    request_abandon(request);
}

static void shut_queued(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    request_fail(request, IPC_ERROR_DRAINING, true, "the daemon stopped before it could be done");
    request_destroy(request);
}

static void shut_placed(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    request_fail(request, IPC_ERROR_DRAINING, request->idempotent, "the daemon stopped before it was done");
    request_abandon(request);
}

static void ignore(struct request *request, const struct request_detail *detail)
{
    (void)request;
    (void)detail;
}

/* THE table of a request's life. NULL: who says that breaks the protocol, or it can't happen.
 * TELL and FLUSH are ignored while a WebSocket is being opened again: they were sent before the client saw REOPEN. */
static reaction *const reactions[REQUEST_STATES][REQUEST_EVENTS] = {
    [REQUEST_QUEUED] = {
        [REQUEST_ASSIGN] = assign, [REQUEST_WAKE] = wake_queued, [REQUEST_REFUSE] = refuse_queued,
        [REQUEST_EXPIRE] = expire, [REQUEST_BODY] = request_queued_body, [REQUEST_TELL] = ignore,
        [REQUEST_FLUSH] = ignore, [REQUEST_OUTPUT] = request_refuse_output, [REQUEST_CREDIT] = request_take_credit,
        [REQUEST_REWOUND] = request_rewound, [REQUEST_CANCEL] = cancel_queued, [REQUEST_HANGUP] = discard,
        [REQUEST_SHUTDOWN] = shut_queued,
    },
    [REQUEST_WAITING] = {
        [REQUEST_WAKE] = wake_waiting, [REQUEST_EXPIRE] = expire, [REQUEST_BODY] = request_queued_body,
        [REQUEST_TELL] = ignore, [REQUEST_FLUSH] = ignore, [REQUEST_OUTPUT] = request_refuse_output,
        [REQUEST_CREDIT] = request_take_credit, [REQUEST_REWOUND] = request_rewound,
        [REQUEST_CANCEL] = cancel_queued, [REQUEST_HANGUP] = discard, [REQUEST_SHUTDOWN] = shut_queued,
    },
    [REQUEST_PLACED] = {
        [REQUEST_SENDING] = note_sending, [REQUEST_HOP] = request_follow_hop, [REQUEST_RESPONSE] = answer,
        [REQUEST_UPLOAD_CREDIT] = request_take_upload_credit, [REQUEST_DONE] = finish, [REQUEST_LOST] = lose_placed,
        [REQUEST_BODY] = request_forward_body, [REQUEST_TELL] = ignore, [REQUEST_FLUSH] = ignore,
        [REQUEST_OUTPUT] = request_refuse_output, [REQUEST_CREDIT] = request_take_credit,
        [REQUEST_REWOUND] = request_rewound, [REQUEST_CANCEL] = cancel_placed, [REQUEST_HANGUP] = hangup_placed,
        [REQUEST_SHUTDOWN] = shut_placed,
    },
    [REQUEST_ANSWERED] = {
        [REQUEST_DATA] = request_forward_data, [REQUEST_MESSAGE] = request_forward_message,
        [REQUEST_FLUSHED] = request_forward_flushed, [REQUEST_UPLOAD_CREDIT] = request_take_upload_credit,
        [REQUEST_DONE] = finish, [REQUEST_LOST] = lose_answered, [REQUEST_BODY] = request_forward_body,
        [REQUEST_TELL] = request_forward_tell, [REQUEST_FLUSH] = request_forward_flush,
        [REQUEST_OUTPUT] = request_forward_output, [REQUEST_CREDIT] = request_take_credit,
        [REQUEST_REWOUND] = request_rewound, [REQUEST_CANCEL] = cancel_placed, [REQUEST_HANGUP] = hangup_placed,
        [REQUEST_SHUTDOWN] = shut_placed,
    },
    [REQUEST_ABANDONED] = {
        [REQUEST_SENDING] = ignore, [REQUEST_HOP] = ignore, [REQUEST_RESPONSE] = ignore, [REQUEST_DATA] = ignore,
        [REQUEST_MESSAGE] = ignore, [REQUEST_FLUSHED] = ignore, [REQUEST_UPLOAD_CREDIT] = ignore,
        [REQUEST_DONE] = discard, [REQUEST_LOST] = discard,
    },
};

/* Events that a worker causes by what it says. */
static bool is_workers(enum request_event event)
{
    return event >= REQUEST_SENDING && event <= REQUEST_DONE;
}

void request_event(struct request *request, enum request_event event, const struct request_detail *detail)
{
    reaction *react = reactions[request->state][event];
    if (react) {
        react(request, detail);
        return;
    }
    char text[96];
    snprintf(text, sizeof text, "%s for a request that is %s", event_names[event], state_names[request->state]);
    if (is_workers(event) && request->supervisor)
        supervisor_breach(request->supervisor, text);
    else
        log_error("request %u: %s, which can't happen; ignoring", request->client_id, text);
}
