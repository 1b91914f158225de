/* The life of a WebSocket. */
#include "websocket.h"

#include "answer.h"
#include "hop.h"
#include "inbox.h"
#include "ipc/credit.h"
#include "tls.h"
#include "transfer.h"
#include "upgrade.h"
#include "wsreader.h"
#include "wswriter.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES (128 * 1024)        /* in one turn of the loop, so that the others have theirs */
#define SEND_BYTES (256 * 1024)
#define PIECE_BYTES (16 * 1024)        /* of a message larger than a frame of ours; less is not worth one */
#define PING_BYTES 4
#define FLUSHES_MAX 4096               /* they cost no credit */
#define NEVER UINT64_MAX

enum websocket_state {
    WEBSOCKET_OPENING,       /* libcurl is at the handshake */
    WEBSOCKET_OPEN,
    WEBSOCKET_CLOSING,       /* we said close; the peer still may send, and owes its own */
    WEBSOCKET_CLOSED,        /* both said close: the peer ends the connection (RFC 6455, 7.1.1) */
    WEBSOCKET_FAILED,        /* the peer broke the protocol and was told so: only its end is awaited */
    WEBSOCKET_GONE,          /* no connection any more; what was received may wait for the client */
};

/* What is done in which state. */
static const struct { bool reads, parses, pings, takes; } states[] = {
    /*                      reads  parses pings  takes (the client's messages) */
    [WEBSOCKET_OPENING] = { false, false, false, false },
    [WEBSOCKET_OPEN]    = { true,  true,  true,  true },
    [WEBSOCKET_CLOSING] = { true,  true,  false, false },
    [WEBSOCKET_CLOSED]  = { true,  false, false, false },
    [WEBSOCKET_FAILED]  = { true,  false, false, false },
    [WEBSOCKET_GONE]    = { false, false, false, false },
};

struct flush { struct flush *next; uint64_t at, token; };   /* answered when so many bytes are out */

struct websocket {
    struct turn_task task;
    struct transfer *transfer;
    enum websocket_state state;
    struct upgrade upgrade;
    struct watch *watch;             /* its socket, from OPEN until GONE */
    struct wsreader reader;
    struct wswriter writer;
    struct inbox inbox;
    struct ipc_window uploads;
    struct flush *flushes, **last_flush;
    unsigned flush_count;
    uint64_t opened_ns, received_bytes, sent_bytes;
    bool ended;                      /* nothing more can be received */
    bool unsendable;                 /* nothing more can be sent */
    bool starved;                    /* nothing is read, for want of the client's credit */
    bool told_drain;                 /* we closed because the worker goes; the client has to hear of it */
    char reason[WS_REASON_BYTES + 1];

    uv_timer_t timer;
    uint64_t armed_ms, ping_ms, close_ms;   /* when it fires; when to ping; when to give up a close */
    uint64_t alive_ms;               /* when the peer last gave a sign of life, or could not */
    bool awaits_pong;
    uint8_t ping[PING_BYTES];
};

static uint64_t now_ms(const struct websocket *websocket)
{
    return uv_now(websocket->timer.loop);
}

static void enter(struct websocket *websocket, enum websocket_state state)
{
    websocket->state = state;
    if (state == WEBSOCKET_OPEN || state == WEBSOCKET_GONE)
        return;
    websocket->transfer->phase = PHASE_CLOSE;
    if (websocket->close_ms == NEVER)
        websocket->close_ms = now_ms(websocket) + websocket->transfer->fetch->close_timeout_ms;
}

static void run_soon(struct websocket *websocket)
{
    turn_add(websocket->transfer->owner->outflow->turn, &websocket->task);
}

/* ---- ends ---- */

static void forget_flushes(struct websocket *websocket)
{
    while (websocket->flushes) {
        struct flush *flush = websocket->flushes;
        websocket->flushes = flush->next;
        free(flush);
    }
    websocket->last_flush = &websocket->flushes;
    websocket->flush_count = 0;
}

/* Fails the connection (RFC 6455, 7.1.7). The peer gets a close and a while to read it: closing at
 * once, with bytes of the peer's unread, would make a reset that overtakes it. */
static void fail(struct websocket *websocket, unsigned code, enum ipc_error_code error, const char *problem)
{
    struct ipc_bytes reason = { (const uint8_t *)problem, strlen(problem) };
    if (websocket->state >= WEBSOCKET_FAILED)
        return;
    transfer_doom(websocket->transfer, error, problem);
    enter(websocket, WEBSOCKET_FAILED);
    websocket->transfer->done.close_code = WS_CODE_ABNORMAL;
    inbox_drop_open(&websocket->inbox);
    forget_flushes(websocket);
    if (reason.length > WS_REASON_BYTES)
        reason.length = WS_REASON_BYTES;
    wswriter_close(&websocket->writer, code, reason, true);
}

static void give_up(struct websocket *websocket, enum ipc_error_code error, const char *problem)
{
    transfer_doom(websocket->transfer, error, problem);
    websocket->transfer->done.close_code = WS_CODE_ABNORMAL;
    enter(websocket, WEBSOCKET_GONE);
}

/* The peer's end of the connection: expected after its close, a loss before. It may have ended only its
 * own half, so that our close can still reach it. */
static void note_end(struct websocket *websocket, CURLcode result)
{
    struct transfer *transfer = websocket->transfer;
    websocket->ended = true;
    if (websocket->state >= WEBSOCKET_CLOSED)
        return;
    int os_errno = (int)easy_info(transfer->easy, CURLINFO_OS_ERRNO);
    char problem[CURL_ERROR_SIZE + 64];
    const char *text = transfer->easy->error[0] ? transfer->easy->error : curl_easy_strerror(result);
    snprintf(problem, sizeof problem, "the connection ended without a WebSocket close%s%s",
             result == CURLE_OK ? "" : ": ", result == CURLE_OK ? "" : text);
    give_up(websocket, IPC_ERROR_WEBSOCKET_CLOSED, problem);
    transfer->failure.curl_code = result;
    transfer->failure.os_errno = result == CURLE_OK ? 0 : os_errno;
}

/* ---- to the client ---- */

/* How much of so many bytes may go now, in one message; false for none, not even an empty one. */
static bool find_room(struct websocket *websocket, size_t wanted, size_t *ret_length)
{
    struct transfer *transfer = websocket->transfer;
    struct outflow *outflow = transfer->owner->outflow;
    int64_t credit = transfer->body.credit < outflow->credit ? transfer->body.credit : outflow->credit;
    if (outflow_blocked(outflow)) {
        outflow_wait(outflow, &transfer->waiter);
        return false;
    }
    *ret_length = wanted < IPC_DATA_BYTES ? wanted : IPC_DATA_BYTES;
    if (ipc_credit_cost(*ret_length) <= credit)
        return true;
    *ret_length = ipc_credit_payload(credit);
    return *ret_length > 0 && credit >= transfer->body.least_credit;
}

static void send_message(struct websocket *websocket, const struct ipc_message *message)
{
    struct transfer *transfer = websocket->transfer;
    struct transfers *owner = transfer->owner;
    transfer->body.delivered_bytes += message->data.length;
    if (outflow_send_message(owner->outflow, &transfer->body.credit, transfer->id, message) < 0)
        owner->on_broken(owner, "the daemon does not read, and what waits for it is too much");
}

/* One piece of the message as far as there is room. The length of it in *ret_length; false without room. */
static bool send_piece(struct websocket *websocket, const struct ipc_message *message, size_t *ret_length)
{
    struct ipc_message piece = *message;
    if (!find_room(websocket, message->data.length, &piece.data.length)
        || (message->kind >= WS_CLOSE && piece.data.length < message->data.length))
        return false;
    piece.more = message->more || piece.data.length < message->data.length;
    send_message(websocket, &piece);
    *ret_length = piece.data.length;
    return true;
}

static void empty_inbox(struct websocket *websocket)
{
    struct ipc_message message;
    size_t length;
    while (inbox_first(&websocket->inbox, &message) && send_piece(websocket, &message, &length))
        inbox_take(&websocket->inbox, length);
}

/* Bytes of a message from which on they go as a piece, though the message is not whole. */
static size_t least_piece(const struct websocket *websocket, const struct wsreader_piece *piece)
{
    if (websocket->transfer->fetch->fragments)
        return 1;
    return piece->message_bytes > IPC_DATA_BYTES ? PIECE_BYTES : IPC_DATA_BYTES + 1;
}

/* Without a copy, when nothing is before it. True when nothing of it is left, nor its end. */
static bool send_directly(struct websocket *websocket, struct wsreader_piece *piece)
{
    size_t length;
    if (!piece->final && piece->payload.length < least_piece(websocket, piece))
        return false;
    do {
        struct ipc_message message = { .kind = piece->kind, .more = !piece->final, .data = piece->payload };
        if (!send_piece(websocket, &message, &length))
            return false;
        piece->payload.data += length;
        piece->payload.length -= length;
    } while (piece->payload.length > 0);
    return true;
}

static void take_piece(struct websocket *websocket, struct wsreader_piece *piece)
{
    struct inbox *inbox = &websocket->inbox;
    if (inbox_empty(inbox) && send_directly(websocket, piece))
        return;
    if (!inbox_grow(inbox, piece->kind, piece->payload)) {
        fail(websocket, WS_CODE_GOING_AWAY, IPC_ERROR_OUT_OF_MEMORY, "no memory for a message");
        return;
    }
    if (!piece->final && inbox->open_length < least_piece(websocket, piece))
        return;
    inbox_seal(inbox, !piece->final);
    empty_inbox(websocket);
}

static void take_note(struct websocket *websocket, const struct wsreader_piece *piece)
{
    struct ipc_message message = { .kind = piece->kind, .data = piece->payload }, first;
    size_t length;
    if (!inbox_first(&websocket->inbox, &first))
        send_piece(websocket, &message, &length);
}

/* ---- from the peer ---- */

/* RFC 6455, 5.5.3: a pong may answer only the newest of several pings, one of the client's say. */
static void take_pong(struct websocket *websocket, const struct wsreader_piece *piece)
{
    bool ours = websocket->awaits_pong && piece->payload.length == PING_BYTES
        && memcmp(piece->payload.data, websocket->ping, PING_BYTES) == 0;
    websocket->awaits_pong = false;
    if (!ours)
        take_note(websocket, piece);
}

static void tell_close(struct websocket *websocket, unsigned code, struct ipc_bytes reason)
{
    struct ipc_message message = { .kind = WS_CLOSE, .data = reason };
    message.code = code == WS_CODE_NONE ? 0 : code;
    inbox_drop_open(&websocket->inbox);
    if (inbox_add(&websocket->inbox, &message))
        empty_inbox(websocket);
}

static void take_close(struct websocket *websocket, const struct wsreader_piece *piece)
{
    struct ipc_done *done = &websocket->transfer->done;
    memcpy(websocket->reason, piece->payload.data, piece->payload.length);
    done->close_code = piece->code;
    done->close_reason = (struct ipc_text){ websocket->reason, piece->payload.length };
    websocket->told_drain = false;   /* by this one */
    tell_close(websocket, piece->code, piece->payload);
    wswriter_close(&websocket->writer, piece->code, (struct ipc_bytes){ NULL, 0 }, false);
    enter(websocket, WEBSOCKET_CLOSED);
}

static void take_control(struct websocket *websocket, const struct wsreader_piece *piece)
{
    if (piece->kind == WS_PING) {
        wswriter_pong(&websocket->writer, piece->payload);
        take_note(websocket, piece);
    } else if (piece->kind == WS_PONG) {
        take_pong(websocket, piece);
    } else {
        take_close(websocket, piece);
    }
}

static void parse(struct websocket *websocket, struct ipc_bytes input)
{
    struct wsreader *reader = &websocket->reader;
    struct wsreader_piece piece;
    while (states[websocket->state].parses) {
        switch (wsreader_next(reader, &input, &piece)) {
        case WSREADER_MORE:
            return;
        case WSREADER_PIECE:
            take_piece(websocket, &piece);
            break;
        case WSREADER_CONTROL:
            take_control(websocket, &piece);
            break;
        case WSREADER_FAILED:
            fail(websocket, reader->code, reader->code == WS_CODE_TOO_LARGE ? IPC_ERROR_MESSAGE_TOO_LARGE
                 : IPC_ERROR_WEBSOCKET_PROTOCOL, reader->problem);
            return;
        }
    }
}

/* How many bytes may be read now: what the client takes, and a little that is held for it. */
static size_t find_read_room(const struct websocket *websocket)
{
    const struct outflow *outflow = websocket->transfer->owner->outflow;
    if (!states[websocket->state].reads || websocket->ended)
        return 0;
    if (!states[websocket->state].parses)
        return READ_BYTES;
    int64_t room = WEBSOCKET_HELD_BYTES - (int64_t)inbox_bytes(&websocket->inbox);
    if (websocket->transfer->body.credit > 0 && !outflow_blocked(outflow))
        room += websocket->transfer->body.credit;
    return room <= 0 ? 0 : room < READ_BYTES ? (size_t)room : READ_BYTES;
}

/* Reads until there is no more, or `room` is full. */
static CURLcode fill(struct websocket *websocket, uint8_t *place, size_t room, size_t *ret_length)
{
    size_t length = 0, step = 1;
    CURLcode result = CURLE_OK;
    while (length < room && step > 0) {
        step = 0;
        result = curl_easy_recv(websocket->transfer->easy->curl, place + length, room - length, &step);
        if (result != CURLE_OK)
            break;
        length += step;
    }
    *ret_length = length;
    return result;
}

static void receive(struct websocket *websocket)
{
    static uint8_t scratch[READ_BYTES];
    size_t room = find_read_room(websocket), length;
    websocket->starved = room == 0 && states[websocket->state].parses;
    if (room == 0)
        return;
    CURLcode result = fill(websocket, scratch, room, &length);
    if (length > 0) {
        websocket->alive_ms = now_ms(websocket);
        websocket->received_bytes += length;
        parse(websocket, (struct ipc_bytes){ scratch, length });
    }
    if (result != CURLE_AGAIN && length < room)
        note_end(websocket, result);
    else if (result != CURLE_AGAIN)
        run_soon(websocket);
}

/* ---- to the peer ---- */

static void grant(struct websocket *websocket, int64_t cost)
{
    struct ipc_window *window = &websocket->uploads;
    window->owed += cost;
    if (window->owed < window->window / 2 || !states[websocket->state].takes)
        return;
    struct ipc_credit credit = { .bytes = (uint64_t)window->owed };
    window->available += window->owed;
    window->owed = 0;
    transfer_say(websocket->transfer, IPC_CREDIT, &credit);
}

static void answer_flushes(struct websocket *websocket)
{
    while (websocket->flushes && websocket->flushes->at <= websocket->writer.sent_bytes) {
        struct flush *flush = websocket->flushes;
        struct ipc_flushed flushed = { .token = flush->token };
        websocket->flushes = flush->next;
        websocket->flush_count--;
        free(flush);
        transfer_say(websocket->transfer, IPC_FLUSHED, &flushed);
    }
    if (!websocket->flushes)
        websocket->last_flush = &websocket->flushes;
}

/* The peer may have said a close before it stopped to listen, so what it sent is still read. */
static void note_unsendable(struct websocket *websocket)
{
    websocket->unsendable = true;
    if (websocket->close_ms == NEVER)
        websocket->close_ms = now_ms(websocket) + websocket->transfer->fetch->close_timeout_ms;
    run_soon(websocket);
}

/* False when nothing more can leave now. */
static bool send_some(struct websocket *websocket, int64_t *cost, size_t *ret_sent)
{
    struct ipc_bytes offer = wswriter_offer(&websocket->writer);
    *ret_sent = 0;
    if (offer.length == 0)
        return false;
    CURLcode result = curl_easy_send(websocket->transfer->easy->curl, offer.data, offer.length, ret_sent);
    if (result != CURLE_OK && result != CURLE_AGAIN) {
        note_unsendable(websocket);
        return false;
    }
    if (*ret_sent == 0) {
        wswriter_blocked(&websocket->writer);
        return false;
    }
    /* Bytes in front of our ping that leave are a sign that it will, too, and is not overdue. */
    if (wswriter_ping_waits(&websocket->writer))
        websocket->alive_ms = now_ms(websocket);
    websocket->sent_bytes += *ret_sent;
    *cost += wswriter_sent(&websocket->writer, *ret_sent);
    return true;
}

static void send_out(struct websocket *websocket)
{
    size_t total = 0, sent;
    int64_t cost = 0;
    while (!websocket->unsendable && total < SEND_BYTES && send_some(websocket, &cost, &sent))
        total += sent;
    if (total >= SEND_BYTES)
        run_soon(websocket);
    grant(websocket, cost);
    answer_flushes(websocket);
}

/* ---- the clock ---- */

/* Any byte of the peer's counts as life, not only the pong, which may have to wait behind a large
 * message of its own. And while it is our own client that does not take what came, so that nothing is
 * read, the pong can't be seen: no time runs then, and a whole pong_timeout_ms does afterwards. */
static uint64_t pong_due(const struct websocket *websocket)
{
    uint64_t timeout_ms = websocket->transfer->fetch->pong_timeout_ms;
    bool runs = websocket->awaits_pong && timeout_ms > 0 && !websocket->starved
        && states[websocket->state].parses;
    return runs ? websocket->alive_ms + timeout_ms : NEVER;
}

static uint64_t ping_due(const struct websocket *websocket)
{
    return states[websocket->state].pings ? websocket->ping_ms : NEVER;
}

static void ping(struct websocket *websocket)
{
    websocket->ping_ms = now_ms(websocket) + websocket->transfer->fetch->ping_interval_ms;
    if (websocket->awaits_pong)
        return;
    tls_random(websocket->ping, PING_BYTES);
    wswriter_ping(&websocket->writer, (struct ipc_bytes){ websocket->ping, PING_BYTES });
    websocket->awaits_pong = true;
    websocket->alive_ms = now_ms(websocket);
    run_soon(websocket);
}

static void end_close(struct websocket *websocket)
{
    if (websocket->state == WEBSOCKET_CLOSED || websocket->state == WEBSOCKET_FAILED)
        enter(websocket, WEBSOCKET_GONE);
    else
        give_up(websocket, IPC_ERROR_WEBSOCKET_CLOSED, websocket->unsendable
                ? "the connection ended without a WebSocket close"
                : "the peer did not answer the close in time (close_timeout_ms)");
}

static void end_silence(struct websocket *websocket)
{
    websocket_say_goodbye(websocket);
    give_up(websocket, IPC_ERROR_TIMEOUT_PONG, "no pong within pong_timeout_ms");
}

static void settle(struct websocket *websocket);
static void on_uv_timer(uv_timer_t *timer);

static void arm(struct websocket *websocket)
{
    uint64_t due = ping_due(websocket), pong = pong_due(websocket), now = now_ms(websocket);
    due = pong < due ? pong : due;
    due = websocket->close_ms < due ? websocket->close_ms : due;
    if (due >= websocket->armed_ms)
        return;
    websocket->armed_ms = due;
    uv_timer_start(&websocket->timer, on_uv_timer, due > now ? due - now : 0, 0);
}

static void on_uv_timer(uv_timer_t *timer)
{
    struct websocket *websocket = timer->data;
    uint64_t now = now_ms(websocket);
    websocket->armed_ms = NEVER;
    if (now >= websocket->close_ms)
        end_close(websocket);
    else if (now >= pong_due(websocket))
        end_silence(websocket);
    else if (now >= ping_due(websocket))
        ping(websocket);
    settle(websocket);
}

/* ---- the turn ---- */

/* Or nothing. DONE says the same as the close, so a client that gives no more credit is not left hanging. */
static bool only_close_waits(const struct websocket *websocket)
{
    struct ipc_message message;
    return !inbox_first(&websocket->inbox, &message) || message.kind == WS_CLOSE;
}

/* Ends the connection, and the transfer with it when the client has got all. */
static void leave(struct websocket *websocket)
{
    struct transfer *transfer = websocket->transfer;
    if (websocket->watch) {
        websocket->watch = NULL;
        transfer_leave_curl(transfer);
        transfer->done.bytes_received += websocket->received_bytes;
        transfer->done.bytes_sent += websocket->sent_bytes;
        transfer->done.total_us += (uv_hrtime() - websocket->opened_ns) / 1000;
        uv_timer_stop(&websocket->timer);
        inbox_drop_open(&websocket->inbox);
        if (websocket->told_drain)
            tell_close(websocket, WS_CODE_GOING_AWAY, (struct ipc_bytes){ NULL, 0 });
    }
    empty_inbox(websocket);
    if (only_close_waits(websocket))
        transfer_complete(transfer);
}

/* After whatever happened: what to wait for next. The websocket may be gone afterwards. */
static void settle(struct websocket *websocket)
{
    if (websocket->state == WEBSOCKET_GONE) {
        leave(websocket);
        return;
    }
    int events = find_read_room(websocket) > 0 ? UV_READABLE : 0;
    if (websocket->writer.blocked && !websocket->unsendable)
        events |= UV_WRITABLE;
    watch_want(websocket->watch, events);
    arm(websocket);
}

static void run(struct turn_task *task)
{
    struct websocket *websocket = (struct websocket *)(void *)task;
    if (websocket->watch) {
        send_out(websocket);
        receive(websocket);
    }
    if (states[websocket->state].reads)
        send_out(websocket);   /* what was received may have asked for an answer */
    if (websocket->ended && (websocket->unsendable || wswriter_empty(&websocket->writer)))
        enter(websocket, WEBSOCKET_GONE);
    settle(websocket);
}

static void on_event(void *owner, int status, int events)
{
    (void)status, (void)events;
    run_soon(owner);
}

/* ---- the handshake ---- */

static void draw_mask(void *place, size_t bytes)
{
    static uint8_t pool[1024];
    static size_t left;
    if (left < bytes) {
        tls_random(pool, sizeof pool);
        left = sizeof pool;
    }
    left -= bytes;
    memcpy(place, pool + left, bytes);
}

struct websocket *websocket_create(struct transfer *transfer)
{
    struct websocket *websocket = calloc(1, sizeof *websocket);
    if (!websocket)
        return NULL;
    websocket->transfer = transfer;
    websocket->task.run = run;
    websocket->last_flush = &websocket->flushes;
    websocket->armed_ms = websocket->ping_ms = websocket->close_ms = NEVER;
    uv_timer_init(transfer->owner->outflow->turn->check.loop, &websocket->timer);
    websocket->timer.data = websocket;
    wsreader_init(&websocket->reader, transfer->fetch->max_message_bytes);
    wswriter_init(&websocket->writer, WEBSOCKET_UPLOAD_WINDOW, draw_mask);
    inbox_init(&websocket->inbox);
    return websocket;
}

static void on_uv_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void websocket_destroy(struct websocket *websocket)
{
    if (!websocket)
        return;
    if (websocket->task.queued)
        turn_forget(websocket->transfer->owner->outflow->turn, &websocket->task);
    forget_flushes(websocket);
    upgrade_finish(&websocket->upgrade);
    wswriter_finish(&websocket->writer);
    inbox_finish(&websocket->inbox);
    uv_close((uv_handle_t *)&websocket->timer, on_uv_closed);
}

struct curl_slist *websocket_lines(struct websocket *websocket, struct curl_slist *lines)
{
    return upgrade_lines(&websocket->upgrade, websocket->transfer->fetch->subprotocols, lines);
}

bool websocket_on_headers(struct websocket *websocket)
{
    struct transfer *transfer = websocket->transfer;
    if (transfer->headers.status != 101)
        return true;
    const char *wrong = upgrade_check(&websocket->upgrade, transfer->fetch->subprotocols,
                                      answer_pairs(transfer));
    if (wrong)
        transfer_doom(transfer, IPC_ERROR_WEBSOCKET_PROTOCOL, wrong);
    return !wrong;
}

/* The answer is told as any other, so that its headers say what the origin wants instead. */
static void refuse(struct websocket *websocket)
{
    struct transfer *transfer = websocket->transfer;
    char problem[64];
    snprintf(problem, sizeof problem, "the origin answered %u instead of 101", transfer->headers.status);
    answer_respond(transfer);
    transfer_fail(transfer, IPC_ERROR_WEBSOCKET_REFUSED, problem);
}

static void close_for_drain(struct websocket *websocket);

static void open_socket(struct websocket *websocket)
{
    struct transfer *transfer = websocket->transfer;
    const struct ipc_fetch *fetch = transfer->fetch;
    struct ipc_credit credit = { .bytes = WEBSOCKET_UPLOAD_WINDOW };
    curl_socket_t fd = CURL_SOCKET_BAD;
    curl_easy_getinfo(transfer->easy->curl, CURLINFO_ACTIVESOCKET, &fd);
    websocket->watch = watches_claim(&transfer->multi->hub->watches, fd, on_event, websocket);
    if (!websocket->watch) {
        transfer_fail(transfer, IPC_ERROR_INTERNAL, "libcurl has no socket for an open WebSocket");
        return;
    }
    transfer->state = TRANSFER_WEBSOCKET;
    transfer->phase = PHASE_BODY;
    enter(websocket, WEBSOCKET_OPEN);
    deadline_enter(&transfer->deadline, DEADLINE_NONE);
    websocket->opened_ns = uv_hrtime();
    websocket->alive_ms = now_ms(websocket);
    if (fetch->ping_interval_ms > 0)
        websocket->ping_ms = now_ms(websocket) + fetch->ping_interval_ms;
    answer_respond(transfer);
    ipc_window_init(&websocket->uploads, WEBSOCKET_UPLOAD_WINDOW);
    transfer_say(transfer, IPC_CREDIT, &credit);
    if (transfer->owner->drained)
        close_for_drain(websocket);
    run_soon(websocket);
    arm(websocket);
}

void websocket_on_curl_done(struct websocket *websocket, CURLcode result)
{
    struct transfer *transfer = websocket->transfer;
    if (transfer->is_hop)
        hop_say(transfer);
    else if (transfer->headers.status != 101)
        refuse(websocket);
    else if (result == CURLE_OK)
        open_socket(websocket);
    else
        transfer_fail(transfer, IPC_ERROR_INTERNAL, curl_easy_strerror(result));
}

/* ---- the daemon's words ---- */

static void take_message(struct websocket *websocket, const struct ipc_message *message)
{
    const char *problem;
    if (!states[websocket->state].takes)
        return;   /* it crossed the end of the conversation */
    enum ipc_error_code error = wswriter_message(&websocket->writer, message, &problem);
    if (error != IPC_ERROR_NONE)
        fail(websocket, WS_CODE_GOING_AWAY, error, problem);
    else if (message->kind == WS_CLOSE)
        enter(websocket, WEBSOCKET_CLOSING);
    run_soon(websocket);
    arm(websocket);
}

bool websocket_message(struct transfers *transfers, uint32_t id, const struct ipc_message *message,
                       const char **ret_reason)
{
    struct transfer *transfer = transfers_find(transfers, id);
    if (!transfer)
        return true;
    struct websocket *websocket = transfer->websocket;
    if (!websocket || websocket->state == WEBSOCKET_OPENING
        || !ipc_window_spend(&websocket->uploads, message->data.length)) {
        *ret_reason = "MESSAGE beyond its credit";
        return false;
    }
    take_message(websocket, message);
    return true;
}

void websocket_flush(struct transfers *transfers, uint32_t id, uint64_t token)
{
    struct transfer *transfer = transfers_find(transfers, id);
    struct websocket *websocket = transfer ? transfer->websocket : NULL;
    if (!websocket || websocket->state == WEBSOCKET_OPENING || websocket->state >= WEBSOCKET_FAILED)
        return;   /* the DONE that comes is the answer */
    struct flush *flush = websocket->flush_count < FLUSHES_MAX ? malloc(sizeof *flush) : NULL;
    if (!flush) {
        fail(websocket, WS_CODE_GOING_AWAY, IPC_ERROR_REQUEST_INVALID, "too many FLUSHes are unanswered");
    } else {
        *flush = (struct flush){ .at = websocket->writer.queued_bytes, .token = token };
        *websocket->last_flush = flush;
        websocket->last_flush = &flush->next;
        websocket->flush_count++;
    }
    run_soon(websocket);
}

void websocket_resume(struct websocket *websocket)
{
    if (websocket->state == WEBSOCKET_OPENING)
        return;
    outflow_forget(websocket->transfer->owner->outflow, &websocket->transfer->waiter);
    empty_inbox(websocket);
    if (websocket->starved) {
        websocket->starved = false;
        websocket->alive_ms = now_ms(websocket);
    }
    run_soon(websocket);
}

void websocket_say_goodbye(struct websocket *websocket)
{
    int64_t cost = 0;
    size_t sent;
    if (!websocket->watch || websocket->unsendable)
        return;
    wswriter_close(&websocket->writer, WS_CODE_GOING_AWAY, (struct ipc_bytes){ NULL, 0 }, true);
    while (send_some(websocket, &cost, &sent))
        continue;
}

/* ---- the worker goes ---- */

static void close_for_drain(struct websocket *websocket)
{
    if (websocket->state != WEBSOCKET_OPEN)
        return;
    wswriter_close(&websocket->writer, WS_CODE_GOING_AWAY, (struct ipc_bytes){ NULL, 0 }, false);
    websocket->told_drain = true;
    enter(websocket, WEBSOCKET_CLOSING);
    run_soon(websocket);
    arm(websocket);
}

void websockets_drain(struct transfers *transfers)
{
    transfers->drained = true;
    for (size_t i = 0; i < TRANSFER_BUCKETS; i++)
        for (struct transfer *transfer = transfers->buckets[i]; transfer; transfer = transfer->next)
            if (transfer->websocket)
                close_for_drain(transfer->websocket);
}
