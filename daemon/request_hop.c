/* A redirect: what it makes of a request, and which worker goes on with it. */
#include "request_steps.h"

#include "daemon.h"
#include "session.h"
#include "supervisor.h"

#include "ipc/redirect.h"

#include <stdlib.h>

static void go_on_here(struct request *request)
{
    struct ipc_go go = { .here = true };
    request->hop_ms = uv_now(&request->daemon->loop);
    struct ipc_pair pairs[COOKIES_SENT_MOST];
    struct ipc_fetch fetch;
    if (request->jar && request_read_kept(request, &fetch) == 0) {
        go.cookies = request_pick_cookies(request, fetch.url, pairs);
        go.url = request->upgraded ? fetch.url : go.url;
    }
    supervisor_send(request->supervisor, IPC_GO, request->worker_id, &go);
}

/* What was kept becomes what the redirect makes of it: a later placement starts from there. */
static int keep_redirected(struct request *request, const struct ipc_fetch *fetch)
{
    request->idempotent = request_is_idempotent(fetch->method);
    request->body_dropped = request->body_dropped || (request->streamed && !fetch->body_streamed);
    request->streamed = fetch->body_streamed;
    return request_keep_packed(request, fetch);
}

static int redirect(struct request *request, const struct ipc_hop *hop, const char **ret_reason)
{
    struct daemon *daemon = request->daemon;
    struct ipc_redirect_headers headers = { daemon->header_scratch, DAEMON_HEADERS };
    struct ipc_fetch fetch;
    struct ipc_origin origin;
    *ret_reason = daemon->kept_decoder.reason;
    if (request_read_kept(request, &fetch) < 0
        || ipc_redirect_apply(&fetch, (unsigned)hop->status, hop->url, &headers, ret_reason) < 0
        || ipc_origin_parse(fetch.url, &origin, ret_reason) < 0)
        return -1;
    *ret_reason = "with its URL the request is too large, or memory is short";
    struct origin *next = origins_hold(&daemon->origins, &origin);
    if (!next)
        return -1;
    request_leave_gate(request);
    request_leave_origin(request);
    origins_release(&daemon->origins, request->origin);
    request->origin = next;
    return keep_redirected(request, &fetch);
}

/* The worker waits for GO; here it is told to go on, or to forget it, or to give it up. */
static void end_at_hop(struct request *request, enum ipc_error_code code, const char *message)
{
    request_fail(request, code, false, message);
    supervisor_forget(request->supervisor, request->worker_id);
    request_destroy(request);
}

/* The worker for where the request leads now; it does not weigh on the one it is about to leave. */
static struct supervisor *choose_next(struct request *request)
{
    struct crew *crew = &request->daemon->crew;
    uint32_t seat = request->supervisor->seat;
    crew_remove_load(crew, seat);
    struct supervisor *wanted = crew_choose(crew, request);
    crew_add_load(crew, seat);
    return wanted;
}

/* To the new origin: here if this worker is the one for it and the origin takes one more at once,
 * else through the queue. It is no further attempt. */
static void move_on(struct request *request)
{
    struct daemon *daemon = request->daemon;
    struct supervisor *wanted = choose_next(request);
    uint64_t until_ms;
    bool stays = !wanted || wanted == request->supervisor;
    if (stays && request_pass_gate(request) && line_is_empty(&request->origin->line)
        && origin_admit(&daemon->origins, request->origin, uv_now(&daemon->loop), &until_ms) == ORIGIN_GO) {
        request_enter_origin(request);
        go_on_here(request);
        return;
    }
    supervisor_forget(request->supervisor, request->worker_id);
    request_leave_worker(request);
    request->attempts--;
    request_queue_again(request);
}

static void take_hop(struct request *request, const struct ipc_hop *hop)
{
    const char *reason;
    bool had_body = request->streamed && request->body_asked;
    request_note_outcome(request, true);
    request_note_proxy(request, IPC_ERROR_NONE);
    request->from_public = hop->from_public;
    if (request->redirects >= request->max_redirects) {
        end_at_hop(request, IPC_ERROR_REDIRECT_LIMIT, NULL);
        return;
    }
    request->redirects++;
    session_send(request->session, IPC_HOP, request->client_id, hop);
    if (redirect(request, hop, &reason) < 0) {
        end_at_hop(request, IPC_ERROR_REDIRECT_INVALID, reason);
        return;
    }
    if (!request_has_allowed_scheme(request->daemon->conf, hop->url)) {
        end_at_hop(request, IPC_ERROR_POLICY_DENIED, "the redirect's scheme is not among [egress] schemes");
        return;
    }
    if (request->streamed && had_body && !request->rewindable) {
        end_at_hop(request, IPC_ERROR_BODY_REWIND, NULL);
        return;
    }
    request_start_body_over(request);
    request->sending = false;
    move_on(request);
}

void request_follow_hop(struct request *request, const struct request_detail *detail)
{
    struct ipc_hop hop = detail->message->hop;
    char *upgraded;
    if (!request->follow) {
        supervisor_breach(request->supervisor, "HOP unasked");
    } else if (request_remember(request, hop.set_cookies.items, hop.set_cookies.count, hop.hsts)) {
        if (request_upgrade_hop(request, &hop, &upgraded) < 0)
            end_at_hop(request, IPC_ERROR_OUT_OF_MEMORY, NULL);
        else
            take_hop(request, &hop);
        free(upgraded);
    }
}
