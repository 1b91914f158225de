/* RFC 6455, section 5, for the client's mouth. */
#include "wswriter.h"

#include "ipc/credit.h"

#include <assert.h>
#include <string.h>

#define FIN 0x80
#define MASK 0x80
#define TWO_BYTES 126
#define EIGHT_BYTES 127

void wswriter_init(struct wswriter *writer, size_t limit_bytes, void (*random)(void *place, size_t bytes))
{
    *writer = (struct wswriter){ .random = random };
    /* A close of our own has no credit of the client's. */
    ipc_buffer_init(&writer->frames, limit_bytes + WS_CONTROL_BYTES + WSWRITER_HEAD_BYTES);
}

void wswriter_finish(struct wswriter *writer)
{
    ipc_buffer_finish(&writer->frames);
}

/* ---- frames ---- */

static size_t head_size(size_t payload_bytes)
{
    return payload_bytes < TWO_BYTES ? 6 : payload_bytes <= UINT16_MAX ? 8 : 14;
}

/* 5.2: the shortest form of the length. */
static uint8_t *write_head(uint8_t *at, unsigned first, size_t length, const uint8_t *mask)
{
    int bytes = length < TWO_BYTES ? 0 : length <= UINT16_MAX ? 2 : 8;
    *at++ = (uint8_t)first;
    *at++ = (uint8_t)(MASK | (bytes == 0 ? length : bytes == 2 ? TWO_BYTES : EIGHT_BYTES));
    for (int i = bytes - 1; i >= 0; i--)
        *at++ = (uint8_t)((uint64_t)length >> (8 * i));
    memcpy(at, mask, 4);
    return at + 4;
}

static void write_masked(uint8_t *place, const uint8_t *data, size_t length, const uint8_t *mask)
{
    uint64_t word, masks;
    size_t i = 0;
    memcpy(&masks, mask, 4);
    memcpy((uint8_t *)&masks + 4, mask, 4);
    for (; i + sizeof word <= length; i += sizeof word) {
        memcpy(&word, data + i, sizeof word);
        word ^= masks;
        memcpy(place + i, &word, sizeof word);
    }
    for (; i < length; i++)
        place[i] = data[i] ^ mask[i % 4];
}

/* A frame at `place`, which has room for it. Returns its size. */
static size_t write_frame(struct wswriter *writer, uint8_t *place, unsigned first, struct ipc_bytes payload)
{
    uint8_t mask[4];
    writer->random(mask, sizeof mask);
    uint8_t *at = write_head(place, first, payload.length, mask);
    write_masked(at, payload.data, payload.length, mask);
    return head_size(payload.length) + payload.length;
}

static bool queue_frame(struct wswriter *writer, unsigned first, struct ipc_bytes payload)
{
    size_t size = head_size(payload.length) + payload.length;
    uint8_t *place = ipc_buffer_reserve(&writer->frames, size);
    if (!place)
        return false;
    ipc_buffer_commit(&writer->frames, write_frame(writer, place, first, payload));
    writer->queued_bytes += size;
    return true;
}

/* ---- the client's messages ---- */

static const char *check_data(const struct wswriter *writer, const struct ipc_message *message)
{
    if (writer->kind != WS_CONTINUATION && writer->kind != message->kind)
        return "a message began before the one in pieces has ended";
    if (message->code)
        return "only a close has a code";
    return NULL;
}

static const char *check_control(const struct ipc_message *message)
{
    if (message->kind < WS_CLOSE || message->kind > WS_PONG)
        return "a message is of a kind that RFC 6455 does not have";
    if (message->more)
        return "a close, ping or pong can't be in pieces";
    if (message->kind != WS_CLOSE)
        return message->data.length > WS_CONTROL_BYTES ? "a ping or pong has at most 125 bytes"
            : message->code ? "only a close has a code" : NULL;
    if (message->data.length > WS_REASON_BYTES)
        return "the reason of a close has at most 123 bytes";
    if (message->code == 0)
        return message->data.length > 0 ? "a close without a code has no reason" : NULL;
    if (!ws_code_valid((unsigned)message->code))
        return "that code may not stand in a close";
    return ipc_utf8_valid(message->data.data, message->data.length) ? NULL
        : "the reason of a close is not UTF-8";
}

static enum ipc_error_code queue_data(struct wswriter *writer, const struct ipc_message *message,
                                      const char **ret_problem)
{
    struct ipc_utf8 text = writer->kind == WS_CONTINUATION ? (struct ipc_utf8){ { 0 }, 0 } : writer->text;
    if (message->kind == WS_TEXT
        && (!ipc_utf8_feed(&text, message->data.data, message->data.length)
            || (!message->more && !ipc_utf8_complete(&text)))) {
        *ret_problem = "a text message is not UTF-8";
        return IPC_ERROR_REQUEST_INVALID;
    }
    unsigned opcode = writer->kind == WS_CONTINUATION ? (unsigned)message->kind : WS_CONTINUATION;
    if (!queue_frame(writer, opcode | (message->more ? 0 : FIN), message->data)) {
        *ret_problem = "no memory for a message";
        return IPC_ERROR_OUT_OF_MEMORY;
    }
    writer->text = text;
    writer->kind = message->more ? (enum ws_kind)message->kind : WS_CONTINUATION;
    return IPC_ERROR_NONE;
}

static enum ipc_error_code queue_control(struct wswriter *writer, const struct ipc_message *message,
                                         const char **ret_problem)
{
    if (message->kind == WS_CLOSE) {
        wswriter_close(writer, message->code ? (unsigned)message->code : WS_CODE_NONE, message->data, false);
        return IPC_ERROR_NONE;
    }
    if (queue_frame(writer, FIN | (unsigned)message->kind, message->data))
        return IPC_ERROR_NONE;
    *ret_problem = "no memory for a message";
    return IPC_ERROR_OUT_OF_MEMORY;
}

enum ipc_error_code wswriter_message(struct wswriter *writer, const struct ipc_message *message,
                                     const char **ret_problem)
{
    bool is_data = message->kind == WS_TEXT || message->kind == WS_BINARY;
    const char *wrong = is_data ? check_data(writer, message) : check_control(message);
    if (wrong) {
        *ret_problem = wrong;
        return IPC_ERROR_REQUEST_INVALID;
    }
    if (writer->closed)
        return IPC_ERROR_NONE;
    return is_data ? queue_data(writer, message, ret_problem) : queue_control(writer, message, ret_problem);
}

/* ---- our own ---- */

static void note(struct wswriter_note *note, struct ipc_bytes payload)
{
    assert(payload.length <= sizeof note->bytes);
    if (payload.length > 0)
        memcpy(note->bytes, payload.data, payload.length);
    note->length = payload.length;
    note->waits = true;
}

void wswriter_pong(struct wswriter *writer, struct ipc_bytes payload)
{
    note(&writer->pong, payload);
}

void wswriter_ping(struct wswriter *writer, struct ipc_bytes payload)
{
    note(&writer->ping, payload);
}

bool wswriter_ping_waits(const struct wswriter *writer)
{
    return writer->ping.waits || writer->urgent_at < writer->urgent_length;
}

/* ---- where frames begin ---- */

/* The size of the frame at `at`, by its own head. */
static size_t frame_size(const uint8_t *at)
{
    uint64_t length = at[1] & ~MASK;
    int bytes = length < TWO_BYTES ? 0 : length == TWO_BYTES ? 2 : 8;
    if (bytes > 0)
        length = 0;
    for (int i = 0; i < bytes; i++)
        length = length << 8 | at[2 + i];
    return head_size((size_t)length) + (size_t)length;
}

static void look_at_first(struct wswriter *writer)
{
    if (writer->frame_left == 0 && ipc_buffer_length(&writer->frames) > 0)
        writer->frame_left = writer->frame_size = frame_size(ipc_buffer_data(&writer->frames));
}

static bool at_boundary(const struct wswriter *writer)
{
    return writer->frame_left == writer->frame_size;
}

/* Of the frames that wait, as many whole ones as an offer holds. */
static size_t whole_frames(struct wswriter *writer)
{
    size_t waiting = ipc_buffer_length(&writer->frames), length = writer->frame_left;
    while (length < waiting) {
        size_t next = frame_size(ipc_buffer_data(&writer->frames) + length);
        if (length + next > WSWRITER_OFFER_BYTES)
            break;
        length += next;
    }
    return length;
}

/* What has begun to leave: the rest of a frame, or whole frames that TLS holds half sent. */
static size_t begun_bytes(const struct wswriter *writer)
{
    if (writer->blocked && !writer->offer_urgent)
        return writer->offer_length;
    return at_boundary(writer) ? 0 : writer->frame_left;
}

/* A close that had not begun to leave is dropped too: it was the last. */
static void drop_waiting(struct wswriter *writer)
{
    size_t begun = begun_bytes(writer), waiting = ipc_buffer_length(&writer->frames) - begun;
    if (waiting == 0)
        return;
    writer->queued_bytes -= waiting;
    ipc_buffer_truncate(&writer->frames, begun);
    writer->closed = false;
    if (begun == 0)
        writer->frame_left = writer->frame_size = 0;
}

void wswriter_close(struct wswriter *writer, unsigned code, struct ipc_bytes reason, bool at_once)
{
    uint8_t payload[WS_CONTROL_BYTES] = { (uint8_t)(code >> 8), (uint8_t)code };
    struct ipc_bytes whole = { payload, code == WS_CODE_NONE ? 0 : 2 + reason.length };
    assert(reason.length <= WS_REASON_BYTES);
    if (at_once)
        drop_waiting(writer);
    if (writer->closed)
        return;
    if (reason.length > 0)
        memcpy(payload + 2, reason.data, reason.length);
    queue_frame(writer, FIN | WS_CLOSE, whole);
    writer->closed = true;
}

/* ---- out ---- */

static void encode_note(struct wswriter *writer, unsigned opcode, struct wswriter_note *note)
{
    if (!note->waits)
        return;
    note->waits = false;
    struct ipc_bytes payload = { note->bytes, note->length };
    uint8_t *place = writer->urgent + writer->urgent_length;
    writer->urgent_length += write_frame(writer, place, FIN | opcode, payload);
}

static void choose(struct wswriter *writer)
{
    bool notes = writer->pong.waits || writer->ping.waits, urgent = writer->urgent_length > 0;
    look_at_first(writer);
    if (!urgent && notes && at_boundary(writer)) {
        encode_note(writer, WS_PONG, &writer->pong);
        encode_note(writer, WS_PING, &writer->ping);
        urgent = true;
    }
    writer->offer_urgent = urgent;
    writer->offer_length = urgent ? writer->urgent_length - writer->urgent_at
        : notes ? writer->frame_left : whole_frames(writer);
}

struct ipc_bytes wswriter_offer(struct wswriter *writer)
{
    if (!writer->blocked)
        choose(writer);
    const uint8_t *from = writer->offer_urgent ? writer->urgent + writer->urgent_at
        : ipc_buffer_data(&writer->frames);
    return (struct ipc_bytes){ from, writer->offer_length };
}

bool wswriter_empty(const struct wswriter *writer)
{
    return !writer->pong.waits && !writer->ping.waits && writer->urgent_length == 0
        && ipc_buffer_length(&writer->frames) == 0;
}

/* What the client paid for the first frame. A close may be ours, and nothing is granted after it. */
static int64_t first_cost(const struct wswriter *writer, unsigned first)
{
    if ((first & ~FIN) == WS_CLOSE)
        return 0;
    size_t bytes = writer->frame_size, head = bytes < 6 + TWO_BYTES ? 6 : bytes <= 8 + UINT16_MAX ? 8 : 14;
    return ipc_credit_cost(bytes - head);
}

/* The opcode is the first byte, which goes before the frame has: it is read when the frame is new. */
static int64_t sent_of_first(struct wswriter *writer, size_t bytes)
{
    if (at_boundary(writer))
        writer->frame_cost = first_cost(writer, *ipc_buffer_data(&writer->frames));
    writer->frame_left -= bytes;
    writer->sent_bytes += bytes;
    ipc_buffer_consume(&writer->frames, bytes);
    if (writer->frame_left > 0)
        return 0;
    writer->frame_size = 0;
    return writer->frame_cost;
}

int64_t wswriter_sent(struct wswriter *writer, size_t bytes)
{
    int64_t cost = 0;
    writer->blocked = false;
    if (writer->offer_urgent) {
        writer->urgent_at += bytes;
        if (writer->urgent_at == writer->urgent_length)
            writer->urgent_at = writer->urgent_length = 0;
        return 0;
    }
    while (bytes > 0) {
        look_at_first(writer);
        size_t step = bytes < writer->frame_left ? bytes : writer->frame_left;
        cost += sent_of_first(writer, step);
        bytes -= step;
    }
    return cost;
}

void wswriter_blocked(struct wswriter *writer)
{
    writer->blocked = true;
}
