/* The life of a fetch. */
#include "transfer.h"

#include "alternative.h"
#include "answer.h"
#include "check.h"
#include "destination.h"
#include "dial.h"
#include "hop.h"
#include "ipc/digits.h"
#include "ipc/origin.h"
#include "ipc/secret.h"
#include "keep.h"
#include "lines.h"
#include "override.h"
#include "silence.h"
#include "websocket.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POOL_MAX 1024

static size_t on_curl_read(char *place, size_t size, size_t count, void *easy);
static int on_curl_seek(void *easy, curl_off_t offset, int origin);

const struct easy_calls transfer_calls = {
    .on_curl_header = answer_on_curl_header,
    .on_curl_write = answer_on_curl_write,
    .on_curl_read = on_curl_read,
    .on_curl_seek = on_curl_seek,
    .on_curl_prereq = dial_on_curl_prereq,
    .on_curl_open_socket = dial_on_curl_open_socket,
    .on_curl_close_socket = dial_on_curl_close_socket,
    .on_curl_ssl_ctx = dial_on_curl_ssl_ctx,
};

/* ---- the table ---- */

static struct transfer **find(struct transfers *transfers, uint32_t id)
{
    struct transfer **link = &transfers->buckets[id % TRANSFER_BUCKETS];
    while (*link && (*link)->id != id)
        link = &(*link)->next;
    return link;
}

struct transfer *transfers_find(struct transfers *transfers, uint32_t id)
{
    return *find(transfers, id);
}

static void on_expired(struct deadline *deadline, enum deadline_kind kind);
static void on_wake(struct deadline *deadline);
static void on_room(struct outflow_waiter *waiter);
static void on_scout_go(struct scout *scout);

static struct transfer *create(struct transfers *transfers)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);
    if (!transfer)
        return NULL;
    transfer->owner = transfers;
    headers_init(&transfer->headers);
    body_init(&transfer->body, transfers->outflow);
    upload_init(&transfer->upload);
    deadline_init(&transfer->deadline, transfers->outflow->turn->check.loop);
    transfer->deadline.on_expired = on_expired;
    transfer->deadline.on_wake = on_wake;
    transfer->waiter.on_room = on_room;
    transfer->scout.on_go = on_scout_go;
    return transfer;
}

static void on_uv_closed(uv_handle_t *handle)
{
    struct deadline *deadline = handle->data;
    free((char *)deadline - offsetof(struct transfer, deadline));
}

static void destroy(struct transfer *transfer)
{
    headers_finish(&transfer->headers);
    uv_close((uv_handle_t *)&transfer->deadline.timer, on_uv_closed);
}

static struct transfer *take(struct transfers *transfers, uint32_t id)
{
    struct transfer *transfer = transfers->pool;
    if (transfer) {
        transfers->pool = transfer->next;
        transfers->pooled--;
    } else if (!(transfer = create(transfers))) {
        return NULL;
    }
    struct transfer **bucket = &transfers->buckets[id % TRANSFER_BUCKETS];
    transfer->id = id;
    transfer->next = *bucket;
    *bucket = transfer;
    transfers->count++;
    return transfer;
}

/* One that was let go by its scout and ends before it began is still in the list. */
static void forget_ready(struct transfer *transfer)
{
    struct transfers *transfers = transfer->owner;
    struct transfer **link = &transfers->ready;
    while (*link && *link != transfer)
        link = &(*link)->next_ready;
    if (!*link)
        return;
    *link = transfer->next_ready;
    if (transfers->ready_last == &transfer->next_ready)
        transfers->ready_last = link;
}

/* Forgets it: the id, what it kept and what it waits for. It must not be with libcurl any more. */
static void release(struct transfer *transfer)
{
    struct transfers *transfers = transfer->owner;
    struct transfer **link = find(transfers, transfer->id);
    *link = transfer->next;
    outflow_forget(transfers->outflow, &transfer->waiter);
    if (transfers->ready)
        forget_ready(transfer);
    deadline_end(&transfer->deadline);
    answer_reset(transfer);
    body_finish(&transfer->body);
    upload_finish(&transfer->upload);
    websocket_destroy(transfer->websocket);
    ipc_secret_free(transfer->fetch);
    ipc_secret_free(transfer->go);
    destination_policy_destroy(transfer->rules);
    transfer->rules = NULL;
    free(transfer->hop_url);
    free(transfer->next_url);
    ipc_secret_free(transfer->lines);
    transfer->fetch = NULL;
    transfer->go = NULL;
    transfer->hop_url = transfer->next_url = NULL;
    transfer->lines = NULL;
    transfer->websocket = NULL;
    transfer->state = TRANSFER_IDLE;
    if (transfers->pooled < POOL_MAX) {
        transfer->next = transfers->pool;
        transfers->pool = transfer;
        transfers->pooled++;
    } else {
        destroy(transfer);
    }
    if (--transfers->count == 0)
        transfers->on_empty(transfers);
}

/* ---- with libcurl ---- */

/* Takes it back from libcurl, whose connection may be used again if the transfer was whole. */
void transfer_leave_curl(struct transfer *transfer)
{
    scout_leave(&transfer->scout);
    if (transfer->easy) {
        easy_fill_done(transfer->easy, &transfer->done);
        multi_remove(transfer->multi, transfer->easy->curl);
        partition_give_easy(transfer->partition, transfer->easy);
    }
    if (transfer->partition)
        partition_release(transfer->partition);
    transfer->partition = NULL;
    transfer->easy = NULL;
    transfer->multi = NULL;
}

void transfer_pause(struct transfer *transfer)
{
    int hold = transfer->receive_paused ? CURLPAUSE_RECV : 0;
    if (transfer->upload.paused)
        hold |= CURLPAUSE_SEND;
    if (transfer->easy)
        curl_easy_pause(transfer->easy->curl, hold);
}

/* Where it stands, for a failure that libcurl did not tell. */
static enum failure_phase find_phase(const struct transfer *transfer)
{
    if (transfer->phase >= PHASE_TLS || !transfer->easy)
        return transfer->phase;
    if (easy_big_info(transfer->easy, CURLINFO_NAMELOOKUP_TIME_T) == 0)
        return PHASE_DNS;
    bool connected = easy_big_info(transfer->easy, CURLINFO_CONNECT_TIME_T) > 0;
    return connected && transfer->fetch->proxy.length > 0 ? PHASE_PROXY : PHASE_CONNECT;
}

/* ---- ends ---- */

void transfer_say(struct transfer *transfer, unsigned number, const void *message)
{
    struct transfers *transfers = transfer->owner;
    if (ipc_channel_send(transfers->channel, number, transfer->id, message) < 0)
        transfers->on_broken(transfers, "the daemon does not read, and what waits for it is too much");
}

/* "127.0.0.1:443" or "[::1]:443", into at least sizeof transfer->remote + 13 bytes. */
static struct ipc_text write_remote(const struct transfer *transfer, char *place)
{
    size_t length = strlen(transfer->remote);
    bool six = memchr(transfer->remote, ':', length) != NULL;
    char *at = place;
    if (six)
        *at++ = '[';
    memcpy(at, transfer->remote, length);
    at += length;
    if (six)
        *at++ = ']';
    *at++ = ':';
    at = ipc_digits(at, (unsigned)transfer->remote_port);
    return (struct ipc_text){ place, (size_t)(at - place) };
}

static void say_done(struct transfer *transfer)
{
    char remote[sizeof transfer->remote + 13];
    struct ipc_done *done = &transfer->done;
    struct ipc_failure failure;
    if (transfer->failure.error != IPC_ERROR_NONE) {
        failure = failure_message(&transfer->failure);
        failure.bytes_sent = done->bytes_sent;
        failure.bytes_received = done->bytes_received;
        done->error = &failure;
    }
    if (transfer->remote[0]) {
        done->remote = write_remote(transfer, remote);
    }
    done->redirects = transfer->redirects;
    done->alpn = ipc_text(transfer->alpn);
    done->body_bytes = transfer->body.delivered_bytes;
    done->raw_body_bytes = transfer->body.taken_bytes;
    done->trailers = answer_trailers(transfer);
    transfer_say(transfer, IPC_DONE, done);
    release(transfer);
}

void transfer_complete(struct transfer *transfer)
{
    transfer->done.complete = answer_is_complete(transfer);
    say_done(transfer);
}

static void end_failed(struct transfer *transfer)
{
    if (transfer->websocket)
        websocket_say_goodbye(transfer->websocket);
    transfer_leave_curl(transfer);
    transfer->owner->tls_failures += failure_is_handshake(&transfer->failure);
    say_done(transfer);
}

void transfer_doom(struct transfer *transfer, enum ipc_error_code error, const char *message)
{
    if (transfer->failure.error == IPC_ERROR_NONE)
        failure_set(&transfer->failure, error, find_phase(transfer), "%s", message);
}

void transfer_fail(struct transfer *transfer, enum ipc_error_code error, const char *message)
{
    transfer_doom(transfer, error, message);
    end_failed(transfer);
}

/* ---- beginnings ---- */

static bool is_idempotent(struct ipc_text method)
{
    static const char *const methods[] = { "", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE" };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (ipc_text_is(method, methods[i]))
            return true;
    return false;
}

static bool is_websocket(const struct ipc_origin *origin)
{
    return ipc_text_is(origin->scheme, "ws") || ipc_text_is(origin->scheme, "wss");
}

/* What the hop is, and nothing of the one before. */
static void reset_hop(struct transfer *transfer, const struct ipc_origin *origin)
{
    memcpy(transfer->host, origin->host.data, origin->host.length);   /* at most 253 */
    transfer->host[origin->host.length] = '\0';
    memcpy(transfer->origin_key, origin->key, sizeof origin->key);
    transfer->port = origin->port;
    memcpy(transfer->target, transfer->host, sizeof transfer->target);
    transfer->target_port = origin->port;
    override_connect_to(transfer->fetch->connect_to, transfer->target, sizeof transfer->target,
                        &transfer->target_port);
    transfer->is_https = ipc_text_is(origin->scheme, "https");
    transfer->is_http = transfer->is_https || ipc_text_is(origin->scheme, "http")
        || is_websocket(origin);
    transfer->idempotent = is_idempotent(transfer->fetch->method);
    transfer->phase = PHASE_QUEUE;
    transfer->sent = transfer->dialled = transfer->announced = transfer->remote_public = false;
    transfer->deferred = transfer->proxy_secured = false;
    transfer->socks_target = NULL;
    transfer->challenges = 0;
    transfer->asked_ms = 0;
    transfer->misdirected = false;
    transfer->remote[0] = transfer->alpn[0] = '\0';
    transfer->denial.error = IPC_ERROR_NONE;
    transfer->ftp = (struct ftp){ .reply = 0 };
    transfer->expects = transfer->is_http && lines_expect(transfer->fetch);
    transfer->expect_refused = false;
    answer_reset(transfer);
    upload_reset(&transfer->upload, transfer->fetch->body_length);
    IPC_INIT(DONE, &transfer->done);
}

/* The request's header lines. NULL may be right: there are none. */
static bool prepare_lines(struct transfer *transfer, struct curl_slist **ret_lines)
{
    ipc_secret_free(transfer->lines);
    transfer->lines = NULL;
    if (lines_create(transfer->fetch, &transfer->lines) < 0)
        return false;
    *ret_lines = transfer->lines;
    if (transfer->websocket)
        *ret_lines = websocket_lines(transfer->websocket, transfer->lines);
    return !transfer->websocket || *ret_lines;
}

static bool prepare_easy(struct transfer *transfer, struct easy *easy, struct curl_slist *lines)
{
    bool shares = scout_multiplexes(&transfer->scout);
    return easy_prepare(easy, transfer->fetch, lines, &transfer->way, shares) == CURLE_OK
        && (transfer->is_http || ftp_prepare(easy, transfer->fetch) == CURLE_OK)
        && (!transfer->websocket || easy_connect_only(easy) == CURLE_OK);
}

/* Gives it to libcurl. False with transfer->failure set. */
static bool enter_curl(struct transfer *transfer)
{
    struct partition *partition = transfer->partition;
    struct curl_slist *lines;
    transfer->multi = partition_multi(partition, transfer->way.quic);
    struct easy *easy = transfer->multi ? partition_take_easy(partition) : NULL;
    if (!easy || !prepare_lines(transfer, &lines)) {
        failure_set(&transfer->failure, IPC_ERROR_OUT_OF_MEMORY, PHASE_QUEUE, "no memory for a transfer");
    } else {
        easy->transfer = transfer;
        if (prepare_easy(transfer, easy, lines) && multi_add(transfer->multi, easy->curl) == CURLM_OK) {
            transfer->easy = easy;
            transfer->state = TRANSFER_RUNNING;
            return true;
        }
        failure_set(&transfer->failure, IPC_ERROR_INTERNAL, PHASE_QUEUE, "libcurl does not take the request");
    }
    if (easy)
        partition_give_easy(partition, easy);
    return false;
}

/* Only where it is open whether HTTP/1.1, 2 or 3 is spoken, or whether an alternative can be reached, does it
 * matter who connects first. */
static bool needs_scout(const struct transfer *transfer)
{
    const struct way *way = &transfer->way;
    return transfer->is_https && !transfer->fetch->fresh
        && (way->http == WAY_BEST || way->http == WAY_3 || way->alternative);
}

static enum scout_verdict ask_scouts(struct transfer *transfer)
{
    char key[IPC_ORIGIN_BYTES + 1] = "3";
    if (!needs_scout(transfer))
        return SCOUT_GO;
    memcpy(key + 1, transfer->origin_key, sizeof transfer->origin_key);
    return scouts_ask(&transfer->partition->scouts, transfer->way.quic ? key : key + 1, &transfer->scout);
}

static bool place(struct transfer *transfer, const struct ipc_origin *origin)
{
    struct transfers *owner = transfer->owner;
    transfer->partition = partitions_find(&owner->partitions, transfer->fetch, &transfer->failure);
    if (!transfer->partition)
        return false;
    partition_hold(transfer->partition);
    transfer->state = TRANSFER_QUEUED;
    alternative_choose(transfer, origin);
    return ask_scouts(transfer) == SCOUT_WAIT || enter_curl(transfer);
}

/* Told from within a callback of libcurl: the transfers begin in the loop's turn. */
static void on_scout_go(struct scout *scout)
{
    struct transfer *transfer = (struct transfer *)(void *)((char *)scout - offsetof(struct transfer, scout));
    struct transfers *owner = transfer->owner;
    transfer->next_ready = NULL;
    *owner->ready_last = transfer;
    owner->ready_last = &transfer->next_ready;
    turn_add(owner->outflow->turn, &owner->ready_task);
}

static void begin_ready(struct turn_task *task)
{
    char *at = (char *)task - offsetof(struct transfers, ready_task);
    struct transfers *transfers = (struct transfers *)(void *)at;
    while (transfers->ready) {
        struct transfer *transfer = transfers->ready;
        struct ipc_origin origin;
        const char *reason;
        forget_ready(transfer);
        /* The one that led may have found that the alternative can't be reached. */
        if (transfer->way.alternative && ipc_origin_parse(transfer->fetch->url, &origin, &reason) == 0)
            alternative_choose(transfer, &origin);
        if (!enter_curl(transfer))
            end_failed(transfer);
    }
}

static void start(struct transfer *transfer)
{
    struct ipc_origin origin;
    struct check_refusal refusal;
    if (check_fetch(transfer->fetch, &origin, &refusal) < 0) {
        transfer_fail(transfer, refusal.error, refusal.message);
        return;
    }
    reset_hop(transfer, &origin);
    if (!dial_may_go(transfer)) {
        transfer_fail(transfer, transfer->denial.error, transfer->denial.message);
        return;
    }
    if (is_websocket(&origin) && !transfer->websocket
        && !(transfer->websocket = websocket_create(transfer))) {
        transfer_fail(transfer, IPC_ERROR_OUT_OF_MEMORY, "no memory for a WebSocket");
        return;
    }
    if (!place(transfer, &origin))
        end_failed(transfer);
}

/* Once more without Expect, which the origin refused before it looked at the request. */
static void start_unexpecting(struct transfer *transfer)
{
    struct ipc_origin origin;
    const char *reason;
    transfer_leave_curl(transfer);
    lines_forget_expect(transfer->fetch);
    transfer->expects = transfer->sent = false;
    transfer->phase = PHASE_QUEUE;
    answer_reset(transfer);
    deadline_enter(&transfer->deadline, DEADLINE_CONNECT);
    if (ipc_origin_parse(transfer->fetch->url, &origin, &reason) < 0 || !place(transfer, &origin))
        end_failed(transfer);
}

static uint64_t or_setting(uint64_t asked, uint64_t setting)
{
    return asked ? asked : setting;
}

static void begin_deadlines(struct transfer *transfer)
{
    const struct settings *settings = transfer->owner->settings;
    const struct ipc_fetch *fetch = transfer->fetch;
    struct deadline_limits limits = {
        .connect_ms = or_setting(fetch->connect_timeout_ms, settings->connect_timeout_ms),
        .tls_ms = or_setting(fetch->tls_timeout_ms, settings->tls_timeout_ms),
        .headers_ms = or_setting(fetch->headers_timeout_ms, settings->headers_timeout_ms),
        .idle_ms = or_setting(fetch->idle_timeout_ms, settings->idle_timeout_ms),
        .total_ms = or_setting(fetch->total_timeout_ms, settings->total_timeout_ms),
    };
    deadline_begin(&transfer->deadline, &limits);
}

static uint64_t body_limit(const struct transfer *transfer)
{
    uint64_t asked = transfer->fetch->max_body_bytes, setting = transfer->owner->settings->max_body_bytes;
    return asked && (!setting || asked < setting) ? asked : setting;
}

/* What the daemon sends was checked when it read its configuration. */
static bool read_class_rules(struct transfer *transfer, const struct ipc_fetch *fetch, const char **ret_reason)
{
    static char reason[200];
    if (fetch->egress_allow.count == 0 && fetch->egress_deny.count == 0)
        return true;
    transfer->rules = destination_policy_create_before(transfer->owner->settings->egress, fetch->egress_allow,
                                                       fetch->egress_deny, reason, sizeof reason);
    *ret_reason = reason;
    return transfer->rules != NULL;
}

bool transfers_fetch(struct transfers *transfers, uint32_t id, const struct ipc_fetch *fetch,
                     const char **ret_reason)
{
    if (id == 0 || *find(transfers, id)) {
        *ret_reason = "FETCH with an id that is in use";
        return false;
    }
    struct transfer *transfer = take(transfers, id);
    if (!transfer || !(transfer->fetch = keep_message(IPC_FETCH, fetch))) {
        *ret_reason = "no memory for a FETCH";
        return false;
    }
    if (!read_class_rules(transfer, fetch, ret_reason))
        return false;
    transfer->failure.error = IPC_ERROR_NONE;
    transfer->phase = PHASE_QUEUE;
    transfer->responded = false;
    transfer->redirects = 0;
    transfer->remote[0] = transfer->alpn[0] = '\0';
    IPC_INIT(DONE, &transfer->done);
    body_reset(&transfer->body, id, fetch->window, body_limit(transfer), fetch->rate_bytes);
    begin_deadlines(transfer);
    start(transfer);
    return true;
}

/* ---- libcurl is done ---- */

static void fail_by_curl(struct transfer *transfer, CURLcode result)
{
    struct failure_context context = {
        .code = result,
        .text = transfer->easy->error,
        .os_errno = (int)easy_info(transfer->easy, CURLINFO_OS_ERRNO),
        .proxy_status = easy_info(transfer->easy, CURLINFO_HTTP_CONNECTCODE),
        .proxy_code = easy_info(transfer->easy, CURLINFO_PROXY_ERROR),
        .proxied = transfer->fetch->proxy.length > 0,
        .phase = find_phase(transfer),
        .idempotent = transfer->idempotent,
        .answered = transfer->responded,
        .is_ftp = !transfer->is_http,
        .ftp_reply = transfer->ftp.reply,
        .ftp_reply_text = transfer->ftp.reply_text,
    };
    /* One address was denied and another tried: what became of that one is the answer. */
    if (transfer->denial.error != IPC_ERROR_NONE && !transfer->dialled)
        transfer->failure = transfer->denial;
    else
        failure_from_curl(&context, &transfer->failure);
    end_failed(transfer);
}

void transfer_on_curl_done(CURL *curl, CURLcode result)
{
    char *private = NULL;
    curl_easy_getinfo(curl, CURLINFO_PRIVATE, &private);
    struct transfer *transfer = ((struct easy *)(void *)private)->transfer;
    /* An FTP server that may be out of step stays so: each reply is then taken for that to the next command. */
    bool out_of_step = !transfer->is_http && result != CURLE_OK && result != CURLE_REMOTE_FILE_NOT_FOUND;
    if (result == CURLE_HTTP2 || out_of_step)
        easy_break_connection(transfer->easy);
    bool cut_hop = transfer->is_hop && result == CURLE_WRITE_ERROR;   /* its body was too long to drop */
    if (transfer->failure.error != IPC_ERROR_NONE) {
        end_failed(transfer);
    } else if (transfer->expect_refused && transfer->expects) {
        start_unexpecting(transfer);
    } else if (transfer->websocket && transfer->headers.complete) {
        websocket_on_curl_done(transfer->websocket, result);
    } else if (transfer->is_hop && (result == CURLE_OK || cut_hop)) {
        hop_say(transfer);
    } else if (result != CURLE_OK && alternative_give_up(transfer)) {
        transfer_leave_curl(transfer);
        start(transfer);
    } else if (result != CURLE_OK) {
        fail_by_curl(transfer, result);
    } else if (transfer->websocket) {
        fail_by_curl(transfer, CURLE_GOT_NOTHING);   /* libcurl finds no fault in it, with CONNECT_ONLY */
    } else {
        if (!transfer->is_http)
            ftp_on_done(transfer);
        transfer_leave_curl(transfer);
        answer_finish(transfer);
    }
}

/* ---- the clock ---- */

static const struct { enum ipc_error_code error; const char *message; } expiries[] = {
    [DEADLINE_HEADERS] = { IPC_ERROR_TIMEOUT_HEADERS, "no response headers within the headers timeout" },
    [DEADLINE_IDLE] = { IPC_ERROR_TIMEOUT_IDLE, "no body byte within the idle timeout" },
    [DEADLINE_TOTAL] = { IPC_ERROR_TIMEOUT_TOTAL, "not finished within the total timeout" },
};

/* An inline body that is still going out is no silence of the origin's. */
static bool still_sends(struct transfer *transfer)
{
    curl_off_t sent = 0;
    if (transfer->fetch->body.length == 0 || !transfer->easy)
        return false;
    curl_easy_getinfo(transfer->easy->curl, CURLINFO_SIZE_UPLOAD_T, &sent);
    bool moved = sent > transfer->sent_bytes;
    transfer->sent_bytes = sent;
    return moved;
}

static struct transfer *of_deadline(struct deadline *deadline)
{
    return (struct transfer *)(void *)((char *)deadline - offsetof(struct transfer, deadline));
}

static void doom_expired(struct transfer *transfer, enum deadline_kind kind)
{
    bool connecting = kind == DEADLINE_CONNECT || kind == DEADLINE_TLS;
    enum ipc_error_code error = connecting ? failure_of_time(find_phase(transfer), transfer->fetch->proxy.length > 0)
                                           : expiries[kind].error;
    transfer_doom(transfer, error, connecting ? ipc_error_text(error) : expiries[kind].message);
    transfer->failure.retryable = connecting
        || (kind == DEADLINE_HEADERS && transfer->idempotent && !transfer->responded);
    /* Over HTTP/2 it would stay open, and the next request would wait on it as this one did. */
    if (transfer->easy && !connecting)
        easy_forbid_reuse(transfer->easy);
}

static void on_expired(struct deadline *deadline, enum deadline_kind kind)
{
    struct transfer *transfer = of_deadline(deadline);
    if (transfer->state == TRANSFER_HOPPING)
        return;   /* the daemon has the word: an end said now could cross its GO to forget the id */
    if (kind == DEADLINE_HEADERS && still_sends(transfer)) {
        deadline_enter(deadline, DEADLINE_HEADERS);
        return;
    }
    doom_expired(transfer, kind);
    end_failed(transfer);
}

bool transfers_overdue(struct transfers *transfers)
{
    bool found = false;
    for (size_t i = 0; i < TRANSFER_BUCKETS && transfers->count > 0; i++) {
        for (struct transfer *transfer = transfers->buckets[i]; transfer; transfer = transfer->next) {
            enum deadline_kind kind = deadline_over(&transfer->deadline);
            if (kind == DEADLINE_NONE)
                continue;
            doom_expired(transfer, kind);
            found = true;
        }
    }
    return found;
}

static void resume(struct transfer *transfer)
{
    if (transfer->websocket)
        websocket_resume(transfer->websocket);
    else
        answer_resume(transfer);
}

static void on_wake(struct deadline *deadline)
{
    struct transfer *transfer = of_deadline(deadline);
    if (!silence_check(transfer))
        resume(transfer);
}

static void on_room(struct outflow_waiter *waiter)
{
    resume((struct transfer *)(void *)((char *)waiter - offsetof(struct transfer, waiter)));
}

/* ---- the request's body ---- */

void transfer_open_upload(struct transfer *transfer)
{
    struct ipc_credit credit = { .bytes = (uint64_t)upload_open(&transfer->upload) };
    if (credit.bytes > 0)
        transfer_say(transfer, IPC_CREDIT, &credit);
}

static size_t on_curl_read(char *place, size_t size, size_t count, void *easy)
{
    struct transfer *transfer = ((struct easy *)easy)->transfer;
    int64_t grant = 0;
    if (!transfer->fetch->body_streamed)
        return ftp_read(transfer, place, size * count);   /* HTTP has inline bodies by CURLOPT_POSTFIELDS */
    transfer_open_upload(transfer);
    size_t length = upload_read(&transfer->upload, place, size * count, &grant);
    if (grant > 0) {
        struct ipc_credit credit = { .bytes = (uint64_t)grant };
        transfer_say(transfer, IPC_CREDIT, &credit);
    }
    bool sending = transfer->phase == PHASE_SEND;   /* not when the answer has begun before the end */
    if (length > 0) {
        deadline_progress(&transfer->deadline);
    } else if (transfer->upload.paused) {
        if (sending)
            deadline_enter(&transfer->deadline, DEADLINE_NONE);   /* the client is slow, not the origin */
        return CURL_READFUNC_PAUSE;
    } else if (sending) {
        transfer->phase = PHASE_WAIT;
        deadline_enter(&transfer->deadline, DEADLINE_HEADERS);
    }
    return length;
}

/* libcurl wants the body again from its start: we have let go of what it read. */
static int on_curl_seek(void *easy, curl_off_t offset, int origin)
{
    const struct transfer *transfer = ((struct easy *)easy)->transfer;
    bool untouched = offset == 0 && origin == SEEK_SET && transfer->upload.read_bytes == 0;
    return untouched ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static bool take_upload(struct transfer *transfer, enum upload_result result, const char **ret_reason)
{
    switch (result) {
    case UPLOAD_OK:
        return true;
    case UPLOAD_VIOLATION:
        *ret_reason = "DATA beyond its credit";
        return false;
    case UPLOAD_TOO_LONG:
        transfer_fail(transfer, IPC_ERROR_REQUEST_INVALID, "the body is longer than its body_length");
        return true;
    case UPLOAD_TOO_SHORT:
        transfer_fail(transfer, IPC_ERROR_REQUEST_INVALID, "the body ended before its body_length");
        return true;
    case UPLOAD_NO_MEMORY:
        transfer_fail(transfer, IPC_ERROR_OUT_OF_MEMORY, "no memory for the request's body");
        return true;
    }
    return true;
}

bool transfers_data(struct transfers *transfers, uint32_t id, struct ipc_bytes payload,
                    const char **ret_reason)
{
    struct transfer *transfer = *find(transfers, id);
    if (!transfer || transfer->state != TRANSFER_RUNNING)
        return true;   /* it has ended, or the origin answered without waiting for the rest */
    if (!transfer->fetch->body_streamed) {
        *ret_reason = "DATA for a request without a streamed body";
        return false;
    }
    enum upload_result result = upload_receive(&transfer->upload, payload.data, payload.length);
    if (!take_upload(transfer, result, ret_reason))
        return false;
    if (result != UPLOAD_OK || !transfer->upload.paused)
        return true;
    transfer->upload.paused = false;
    if (transfer->phase == PHASE_SEND)
        deadline_enter(&transfer->deadline, DEADLINE_IDLE);
    transfer_pause(transfer);
    return true;
}

/* ---- the daemon's other words ---- */

bool transfers_credit(struct transfers *transfers, uint32_t id, uint64_t bytes, const char **ret_reason)
{
    struct transfer *transfer = *find(transfers, id);
    if (!transfer)
        return true;
    if (!ipc_credit_add(&transfer->body.credit, bytes)) {
        *ret_reason = "CREDIT beyond what may be outstanding";
        return false;
    }
    resume(transfer);
    return true;
}

bool transfers_output(struct transfers *transfers, uint32_t id, int fd, const char **ret_reason)
{
    struct transfer *transfer = *find(transfers, id);
    if (!transfer) {
        close(fd);
        return true;
    }
    if (!transfer->responded || transfer->websocket || transfer->body.output >= 0) {
        close(fd);
        *ret_reason = "OUTPUT before RESPONSE, or twice";
        return false;
    }
    body_write_to(&transfer->body, fd);
    resume(transfer);
    return true;
}

bool transfers_go(struct transfers *transfers, uint32_t id, const struct ipc_go *go, const char **ret_reason)
{
    struct transfer *transfer = *find(transfers, id);
    if (!transfer)
        return true;
    if (transfer->state != TRANSFER_HOPPING) {
        *ret_reason = "GO for a request that did not say HOP";
        return false;
    }
    if (!go->here)
        release(transfer);
    else if (hop_follow(transfer, go))
        start(transfer);
    return true;
}

void transfers_cancel(struct transfers *transfers, uint32_t id)
{
    struct transfer *transfer = *find(transfers, id);
    if (transfer)
        transfer_fail(transfer, IPC_ERROR_CANCELLED, ipc_error_text(IPC_ERROR_CANCELLED));
}

void transfers_init(struct transfers *transfers, struct multi_hub *hub, struct outflow *outflow,
                    struct ipc_channel *channel, const struct settings *settings)
{
    transfers->ready_task.run = begin_ready;
    transfers->ready_last = &transfers->ready;
    transfers->outflow = outflow;
    transfers->channel = channel;
    transfers->settings = settings;
    partitions_init(&transfers->partitions, hub, settings, &transfer_calls);
}
