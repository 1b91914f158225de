/* Bodies and messages of a request in both directions, each against its credit (ipc/credit.h). */
#include "request_steps.h"

#include "daemon.h"
#include "output.h"
#include "session.h"
#include "supervisor.h"

#include "ipc/credit.h"

#define LEAST_GRANT_BYTES ((int64_t)16 * 1024)

/* What the worker may have outstanding: less for each stream when the session has many, so that a
 * client which stops reading leaves little behind. */
static int64_t grant_target(const struct request *request)
{
    int64_t share = (int64_t)request->daemon->conf->backlog_bytes / (int64_t)session_streams(request->session);
    return share < LEAST_GRANT_BYTES ? LEAST_GRANT_BYTES : share > IPC_STREAM_WINDOW ? IPC_STREAM_WINDOW : share;
}

/* How much to grant now: up to the target, within the client's own credit. */
int64_t request_grant_size(const struct request *request)
{
    int64_t target = grant_target(request);
    int64_t least = target < request->client_credit ? target : request->client_credit;
    return least > request->granted ? least - request->granted : 0;
}

/* The body must come again from its start; nothing of what is on the way counts. */
static void ask_rewind(struct request *request)
{
    request->rewinds_due++;
    request->body_asked = request->body_ended = request->end_waits = false;
    session_send(request->session, IPC_REWIND, request->client_id, NULL);
}

/* What the worker granted is void. Without credit a client can only have said the end, which is kept. */
void request_start_body_over(struct request *request)
{
    request->upload_credit = request->upload_withheld = 0;
    if (request->streamed && request->body_asked)
        ask_rewind(request);
    else
        request->end_waits = request->streamed && request->body_ended;
}

static void set_starved(struct request *request, bool starved)
{
    if (request->starved != starved)
        session_starve(request->session, request, starved);
}

void request_grant(struct request *request)
{
    if (!request->supervisor)
        return;
    int64_t size = request_grant_size(request);
    bool wanted = request->granted < grant_target(request) / 2 && size > 0;
    bool room = session_has_room(request->session);
    set_starved(request, wanted && !room);
    if (!wanted || !room)
        return;
    struct ipc_credit credit = { .bytes = (uint64_t)size };
    request->granted += size;
    supervisor_send(request->supervisor, IPC_CREDIT, request->worker_id, &credit);
}

static bool charge_worker(struct request *request, size_t payload_bytes)
{
    int64_t cost = ipc_credit_cost(payload_bytes);
    if (cost > request->granted) {
        supervisor_breach(request->supervisor, "payload beyond its credit");
        return false;
    }
    request->granted -= cost;
    request->client_credit -= cost;
    return true;
}

void request_forward_data(struct request *request, const struct request_detail *detail)
{
    if (!charge_worker(request, detail->payload.length))
        return;
    session_send_data(request->session, request->client_id, detail->payload.data, detail->payload.length);
    request_grant(request);
}

void request_forward_message(struct request *request, const struct request_detail *detail)
{
    size_t payload_bytes = detail->message->message.data.length;
    if (!request->websocket) {
        supervisor_breach(request->supervisor, "MESSAGE for a request that is no WebSocket");
        return;
    }
    if (!charge_worker(request, payload_bytes))
        return;
    session_send_message(request->session, request->client_id, detail->frame, payload_bytes);
    request_grant(request);
}

void request_forward_flushed(struct request *request, const struct request_detail *detail)
{
    session_send(request->session, IPC_FLUSHED, request->client_id, &detail->message->flushed);
}

/* The end costs a client no credit, so that an empty body can end at once; towards the worker it is a
 * DATA like any other. */
static void pass_end(struct request *request)
{
    request->end_waits = request->upload_credit < ipc_credit_cost(0);
    if (request->end_waits)
        return;
    request->upload_credit -= ipc_credit_cost(0);
    supervisor_send_data(request->supervisor, request->worker_id, NULL, 0);
}

void request_take_upload_credit(struct request *request, const struct request_detail *detail)
{
    uint64_t bytes = detail->message->credit.bytes;
    int64_t *credit = request->rewinds_due ? &request->upload_withheld : &request->upload_credit;
    if (!(request->streamed || request->websocket) || !ipc_credit_add(credit, bytes)) {
        supervisor_breach(request->supervisor, "upload credit unasked");
    } else if (request->end_waits) {
        pass_end(request);
    } else if (!request->rewinds_due && !request->body_ended) {
        request->body_asked = true;
        session_send(request->session, IPC_CREDIT, request->client_id, &detail->message->credit);
    }
}

/* Sent before the client saw REWIND, or the redirect that left no body. */
static bool is_void(const struct request *request)
{
    return request->rewinds_due > 0 || request->body_dropped;
}

static void refuse_body(struct request *request)
{
    session_fail(request->session, IPC_ERROR_PROTOCOL_VIOLATION,
                 "DATA beyond the request's credit, after its end, or without body_streamed");
}

void request_forward_body(struct request *request, const struct request_detail *detail)
{
    int64_t cost = ipc_credit_cost(detail->payload.length);
    bool ends = detail->payload.length == 0;
    if (is_void(request))
        return;
    if (!request->streamed || request->body_ended || (!ends && cost > request->upload_credit)) {
        refuse_body(request);
    } else if (ends) {
        request->body_ended = true;
        pass_end(request);
    } else {
        request->upload_credit -= cost;
        supervisor_send_data(request->supervisor, request->worker_id, detail->payload.data, detail->payload.length);
    }
}

void request_forward_tell(struct request *request, const struct request_detail *detail)
{
    size_t payload_bytes = detail->message->message.data.length;
    int64_t cost = ipc_credit_cost(payload_bytes);
    if (request->rewinds_due)
        return;
    if (!request->websocket || cost > request->upload_credit) {
        session_fail(request->session, IPC_ERROR_PROTOCOL_VIOLATION,
                     "MESSAGE beyond the WebSocket's credit, or for a request that is none");
        return;
    }
    request->upload_credit -= cost;
    supervisor_send_message(request->supervisor, request->worker_id, detail->frame, payload_bytes);
}

void request_forward_flush(struct request *request, const struct request_detail *detail)
{
    if (!request->rewinds_due)
        supervisor_send(request->supervisor, IPC_FLUSH, request->worker_id, &detail->message->flush);
}

void request_refuse_output(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    session_fail(request->session, IPC_ERROR_PROTOCOL_VIOLATION,
                 "OUTPUT before RESPONSE, without a descriptor, or while DATA may still come");
}

/* From here on the worker needs no credit: nothing of the body passes through here. */
void request_forward_output(struct request *request, const struct request_detail *detail)
{
    const char *reason;
    if (*detail->descriptor < 0 || request->websocket || ipc_credit_payload(request->client_credit) > 0) {
        request_refuse_output(request, detail);
    } else if (!output_may_be(*detail->descriptor, &reason)) {
        struct ipc_output_refused refused = { .reason = ipc_text(reason) };
        session_send(request->session, IPC_OUTPUT_REFUSED, request->client_id, &refused);
    } else {
        supervisor_send_descriptor(request->supervisor, IPC_OUTPUT, request->worker_id, *detail->descriptor);
        *detail->descriptor = -1;
    }
}

/* An empty body may end before a worker has it; no credit exists for anything more. */
void request_queued_body(struct request *request, const struct request_detail *detail)
{
    if (is_void(request))
        return;
    if (request->streamed && !request->body_ended && detail->payload.length == 0)
        request->body_ended = request->end_waits = true;
    else
        refuse_body(request);
}

void request_take_credit(struct request *request, const struct request_detail *detail)
{
    if (!ipc_credit_add(&request->client_credit, detail->message->credit.bytes))
        session_fail(request->session, IPC_ERROR_PROTOCOL_VIOLATION, "more credit than a stream can have");
    else
        request_grant(request);
}

void request_rewound(struct request *request, const struct request_detail *detail)
{
    (void)detail;
    if (request->rewinds_due == 0) {
        session_fail(request->session, IPC_ERROR_PROTOCOL_VIOLATION, "REWIND unasked");
        return;
    }
    struct ipc_credit credit = { .bytes = (uint64_t)request->upload_withheld };
    if (--request->rewinds_due > 0)
        return;   /* its socket was lost again meanwhile */
    request->upload_credit = request->upload_withheld;
    request->upload_withheld = 0;
    request->body_asked = credit.bytes > 0;
    if (credit.bytes > 0)
        session_send(request->session, IPC_CREDIT, request->client_id, &credit);
}
