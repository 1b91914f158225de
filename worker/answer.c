/* An answer on its way from libcurl to the daemon. */
#include "answer.h"

#include "alternative.h"
#include "memo.h"
#include "transfer.h"
#include "websocket.h"
#include "window.h"

#include <stdlib.h>
#include <string.h>

#define CHALLENGES_MAX 5           /* a nonce may go stale once or twice */
#define DROPPED_MAX (64 * 1024)   /* of a redirect's body, to keep its connection; above it is cut */

/* It shares the windows of HTTP/2 and 3 from now on. */
static void begin_window(struct transfer *transfer)
{
    if (!transfer->windowed)
        window_enter();
    transfer->windowed = true;
}

static void end_window(struct transfer *transfer)
{
    if (transfer->windowed)
        window_leave();
    transfer->windowed = false;
}

static size_t header_limit(const struct transfer *transfer)
{
    size_t setting = transfer->owner->settings->max_header_bytes;
    uint64_t asked = transfer->fetch ? transfer->fetch->max_header_bytes : 0;
    return asked > 0 && asked < setting ? (size_t)asked : setting;
}

void answer_reset(struct transfer *transfer)
{
    end_window(transfer);
    transfer->is_hop = false;
    transfer->dropped_bytes = 0;
    transfer->receive_paused = transfer->deferred = false;
    h3window_reset(&transfer->h3window);
    free(transfer->certs);
    transfer->certs = NULL;
    transfer->cert_count = 0;
    headers_reset(&transfer->headers, header_limit(transfer));
}

/* ---- headers ---- */

/* Room for so many, or NULL. It serves the next answer, too. */
static struct ipc_pair *take_pairs(struct transfers *owner, size_t count)
{
    if (count <= owner->pairs_capacity)
        return owner->pairs;
    struct ipc_pair *pairs = realloc(owner->pairs, count * sizeof *pairs);
    if (!pairs)
        return NULL;
    owner->pairs = pairs;
    owner->pairs_capacity = count;
    return pairs;
}

struct ipc_pairs answer_pairs(struct transfer *transfer)
{
    struct ipc_pair *pairs = take_pairs(transfer->owner, transfer->headers.count);
    return pairs ? headers_pairs(&transfer->headers, pairs) : (struct ipc_pairs){ NULL, 0 };
}

struct ipc_pairs answer_trailers(struct transfer *transfer)
{
    struct ipc_pair *pairs = take_pairs(transfer->owner, transfer->headers.trailers);
    return pairs ? headers_trailers(&transfer->headers, pairs) : (struct ipc_pairs){ NULL, 0 };
}

void answer_respond(struct transfer *transfer)
{
    struct ipc_response response;
    struct memo memo;
    IPC_INIT(RESPONSE, &response);
    response.status = transfer->is_http ? transfer->headers.status : ftp_make_headers(transfer);
    response.http_version = ipc_text(transfer->headers.version);
    response.headers = answer_pairs(transfer);
    response.url = transfer->fetch->url;
    if (transfer->fetch->in_session) {
        memo_read(&memo, response.headers);
        response.set_cookies.items = memo.cookies;
        response.set_cookies.count = memo.cookie_count;
        response.hsts = memo.wants_tls ? &memo.hsts : NULL;
    }
    response.certs = (struct ipc_texts){ transfer->cert_texts, transfer->cert_count };
    transfer->done.status = response.status;
    transfer->responded = true;
    transfer_say(transfer, IPC_RESPONSE, &response);
}

static bool is_redirect(const struct transfer *transfer)
{
    unsigned status = transfer->headers.status;
    bool moves = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    return moves && transfer->fetch->follow && headers_find(&transfer->headers, "location").data;
}

static bool has_body(const struct transfer *transfer)
{
    unsigned status = transfer->headers.status;
    return status != 204 && status != 304 && !ipc_text_is(transfer->fetch->method, "HEAD");
}

/* Over HTTP/1 a body may simply end with the connection. TLS says goodbye then, and libcurl wants to hear
 * it; without TLS nobody can tell a whole body from one that was cut. */
bool answer_is_complete(const struct transfer *transfer)
{
    const struct headers *headers = &transfer->headers;
    if (!transfer->is_http || transfer->is_https || headers->version[0] > '1' || !has_body(transfer))
        return true;
    return headers_find(headers, "content-length").data || headers_find(headers, "transfer-encoding").data;
}

static bool begin_decoding(struct transfer *transfer)
{
    if (!transfer->fetch->compressed || !has_body(transfer))
        return true;
    struct ipc_bytes coding = headers_find(&transfer->headers, "content-encoding");
    if (!coding.data || body_decode(&transfer->body, coding))
        return true;
    transfer_doom(transfer, transfer->body.error, transfer->body.problem);
    return false;
}

static bool negotiates(struct ipc_text auth)
{
    return auth.length > 0 && !ipc_text_is(auth, "basic");
}

/* To a request for credentials that are not shown at once libcurl may answer with another request, which
 * only it knows. Then the next head comes; if it gives up, the body comes, or the end. */
static bool is_challenge(const struct transfer *transfer)
{
    const struct ipc_fetch *fetch = transfer->fetch;
    return (transfer->headers.status == 401 && negotiates(fetch->auth))
        || (transfer->headers.status == 407 && negotiates(fetch->proxy_auth));
}

static bool defer(struct transfer *transfer)
{
    if (++transfer->challenges > CHALLENGES_MAX) {
        transfer_doom(transfer, IPC_ERROR_HTTP_PROTOCOL, "the origin asks for credentials again and again");
        return false;
    }
    transfer->deferred = true;
    return true;
}

/* The head is the answer's. */
static bool settle(struct transfer *transfer)
{
    unsigned status = transfer->headers.status;
    transfer->deferred = false;
    if (status == 407 && transfer->fetch->proxy.length > 0) {
        transfer_doom(transfer, IPC_ERROR_PROXY_AUTH, "the proxy answered 407");
        return false;
    }
    transfer->is_hop = is_redirect(transfer);
    if (transfer->is_hop)
        return true;
    if (transfer->websocket)
        return websocket_on_headers(transfer->websocket);
    if (!begin_decoding(transfer))
        return false;
    answer_respond(transfer);
    return true;
}

/* The origin minds Expect, and the client was not asked for its body yet. */
static bool may_ask_without_expect(const struct transfer *transfer)
{
    return transfer->headers.status == 417 && transfer->expects && !transfer->upload.open;
}

static bool on_headers_complete(struct transfer *transfer)
{
    if (transfer->headers.status == 417)
        transfer->easy->spoiled = true;   /* with it libcurl 8.22 never sends Expect again */
    if (may_ask_without_expect(transfer)) {
        transfer->expect_refused = true;
        return false;
    }
    transfer->phase = PHASE_BODY;
    deadline_enter(&transfer->deadline, DEADLINE_IDLE);
    if (transfer->headers.status < 200 && !transfer->websocket) {
        transfer_doom(transfer, IPC_ERROR_HTTP_PROTOCOL, "the origin changes the protocol unasked");
        return false;
    }
    if (!alternative_learn(transfer))
        return false;
    return is_challenge(transfer) ? defer(transfer) : settle(transfer);
}

size_t answer_on_curl_header(char *line, size_t size, size_t count, void *data)
{
    struct transfer *transfer = ((struct easy *)data)->transfer;
    size_t length = size * count;
    if (!transfer->is_http)
        return ftp_on_line(transfer, line, length) ? length : 0;
    if (transfer->deferred && length > 5 && memcmp(line, "HTTP/", 5) == 0)
        answer_reset(transfer);   /* libcurl did ask again */
    if (length > 7 && (memcmp(line, "HTTP/2 ", 7) == 0 || memcmp(line, "HTTP/3 ", 7) == 0))
        begin_window(transfer);
    switch (headers_take(&transfer->headers, line, length)) {
    case HEADERS_MORE: case HEADERS_TRAILER:
        return length;
    case HEADERS_COMPLETE:
        return on_headers_complete(transfer) ? length : 0;
    case HEADERS_TOO_LARGE:
        transfer_doom(transfer, IPC_ERROR_HEADERS_TOO_LARGE, ipc_error_text(IPC_ERROR_HEADERS_TOO_LARGE));
        return 0;
    case HEADERS_NO_MEMORY:
        transfer_doom(transfer, IPC_ERROR_OUT_OF_MEMORY, "no memory for the answer's headers");
        return 0;
    }
    return 0;
}

/* ---- body ---- */

/* Who is to tell when there is room again: the connection, the clock, or a CREDIT of its own. Time
 * spent waiting for the client does not count as the origin's silence. */
static void await_room(struct transfer *transfer)
{
    deadline_enter(&transfer->deadline, DEADLINE_NONE);
    if (body_lacks_credit(&transfer->body))
        return;
    uint64_t wait_ms = body_rate_wait_ms(&transfer->body);
    if (wait_ms > 0)
        deadline_wake(&transfer->deadline, wait_ms);
    else
        outflow_wait(transfer->owner->outflow, &transfer->waiter);
}

static size_t drop(struct transfer *transfer, size_t length)
{
    transfer->dropped_bytes += length;
    return transfer->dropped_bytes > DROPPED_MAX ? CURL_WRITEFUNC_ERROR : length;
}

size_t answer_on_curl_write(char *data, size_t size, size_t count, void *easy)
{
    struct transfer *transfer = ((struct easy *)easy)->transfer;
    size_t length = size * count;
    if (transfer->deferred && !settle(transfer))
        return CURL_WRITEFUNC_ERROR;
    if (transfer->is_hop)
        return drop(transfer, length);
    if (!transfer->is_http && ipc_text_is(transfer->fetch->method, "HEAD"))
        return length;   /* libcurl gives what it knows of a file as a body, too */
    if (body_waits(&transfer->body)) {
        transfer->receive_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (!transfer->responded)
        answer_respond(transfer);
    uint64_t delivered_bytes = transfer->body.delivered_bytes;
    switch (body_take(&transfer->body, data, length)) {
    case BODY_TAKEN:
        if (transfer->body.delivered_bytes > delivered_bytes)
            deadline_progress(&transfer->deadline);   /* what decodes to nothing is no progress */
        return length;
    case BODY_WAITING:
        await_room(transfer);
        transfer->receive_paused = true;   /* before libcurl has one piece more that it must keep */
        transfer_pause(transfer);
        return length;
    case BODY_FAILED:
        transfer_doom(transfer, transfer->body.error, transfer->body.problem);
        return CURL_WRITEFUNC_ERROR;
    }
    return CURL_WRITEFUNC_ERROR;
}

static void end_body(struct transfer *transfer)
{
    if (body_end(&transfer->body) == BODY_FAILED)
        transfer_fail(transfer, transfer->body.error, transfer->body.problem);
    else
        transfer_complete(transfer);
}

void answer_resume(struct transfer *transfer)
{
    if (!body_waits(&transfer->body))
        return;
    outflow_forget(transfer->owner->outflow, &transfer->waiter);
    switch (body_resume(&transfer->body)) {
    case BODY_WAITING:
        await_room(transfer);
        return;
    case BODY_FAILED:
        transfer_fail(transfer, transfer->body.error, transfer->body.problem);
        return;
    case BODY_TAKEN:
        break;
    }
    if (transfer->state == TRANSFER_DRAINING) {
        end_body(transfer);
        return;
    }
    deadline_enter(&transfer->deadline, DEADLINE_IDLE);
    bool paused = transfer->receive_paused;
    transfer->receive_paused = false;
    if (paused)
        transfer_pause(transfer);
}

void answer_finish(struct transfer *transfer)
{
    if (transfer->deferred && !settle(transfer)) {
        transfer_fail(transfer, transfer->failure.error, transfer->failure.message);
        return;
    }
    if (!transfer->responded)
        answer_respond(transfer);
    if (!body_waits(&transfer->body)) {
        end_body(transfer);
        return;
    }
    transfer->state = TRANSFER_DRAINING;
}
