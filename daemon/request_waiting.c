/* Where a request stands before it has a worker: in the queue, in its origin's line, at a gate. */
#include "request_steps.h"

#include "daemon.h"
#include "gate.h"
#include "log.h"
#include "session.h"
#include "sleeper.h"

void request_leave_origin(struct request *request)
{
    struct origin *origin = request->origin;
    if (!request->counts_at_origin)
        return;
    request->counts_at_origin = false;
    if (!request->noted_at_origin)
        origin_note_nothing(origin);
    origin_leave(origin);
    request_move_line(origin);
}

void request_enter_origin(struct request *request)
{
    request->counts_at_origin = true;
    request->noted_at_origin = false;
    origin_enter(request->origin);
}

/* One alarm for all that wait there. */
static void set_alarm(struct origin *origin, uint64_t due_ms)
{
    if (!origin->alarmed)
        origin->alarmed = line_first(&origin->line);
    if (origin->alarmed)
        sleep_until(origin->alarmed, due_ms);
}

void request_move_line(struct origin *origin)
{
    set_alarm(origin, 0);
}

/* Held back by a limit of the origin. Who comes while others wait is not asked for, and knows no time. */
void request_park(struct request *request, bool in_front, uint64_t until_ms)
{
    request->parked = true;
    line_push(&request->origin->line, request, session_principal(request->session), request->session->number,
              in_front);
    if (until_ms != UINT64_MAX)
        set_alarm(request->origin, until_ms);
}

void request_unpark(struct request *request, bool served)
{
    struct origin *origin = request->origin;
    if (!request->parked)
        return;
    request->parked = false;
    line_remove(&origin->line, request, served);
    if (origin->alarmed == request)
        origin->alarmed = NULL;
}

/* False: another WebSocket handshake of this user to this origin is under way, and it is told when it is over. */
bool request_pass_gate(struct request *request)
{
    struct daemon *daemon = request->daemon;
    if (request->gate)
        return !request->at_gate;
    return !request->websocket
        || gate_pass(&daemon->gates, request, session_principal(request->session),
                     origin_handshakes(&daemon->origins, request->origin));
}

void request_leave_gate(struct request *request)
{
    struct daemon *daemon = request->daemon;
    if (!request->gate)
        return;
    struct request *next = gate_leave(&daemon->gates, request, origin_handshakes(&daemon->origins, request->origin));
    if (next)
        sleep_until(next, 0);
}

/* Who stood in its origin's line may have had the alarm, or the turn to ask: they pass on. */
void request_leave_waiting(struct request *request)
{
    bool in_line = request->parked || request->unparked;
    sleep_cancel(request);
    request_unpark(request, false);
    daemon_dequeue(request->daemon, request, false);
    if (in_line)
        request_move_line(request->origin);
}

/* Back to wait for a worker: it was there before, so it comes before others of its connection. */
void request_queue_again(struct request *request)
{
    request->state = REQUEST_QUEUED;
    request->queued_ms = uv_now(&request->daemon->loop);
    if (request_pass_gate(request))
        daemon_enqueue(request->daemon, request, true);
}
