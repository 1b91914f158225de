/* RFC 6455, section 5, for the client's ear. */
#include "wsreader.h"

#include <string.h>

#define FIN 0x80
#define RESERVED 0x70
#define OPCODE 0x0f
#define MASK 0x80
#define LENGTH 0x7f
#define TWO_BYTES 126
#define EIGHT_BYTES 127

void wsreader_init(struct wsreader *reader, uint64_t limit_bytes)
{
    *reader = (struct wsreader){ .limit_bytes = limit_bytes };
}

static enum wsreader_result fail(struct wsreader *reader, unsigned code, const char *problem)
{
    reader->code = code;
    reader->problem = problem;
    return WSREADER_FAILED;
}

/* 7.4: those that may stand in a frame: defined there or by IANA, or free to use. */
bool ws_code_valid(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/* ---- a frame's head ---- */

static size_t head_size(uint8_t second)
{
    unsigned length = second & LENGTH;
    return length == TWO_BYTES ? 4 : length == EIGHT_BYTES ? 10 : 2;
}

static const char *check_first(const struct wsreader *reader, uint8_t first)
{
    unsigned opcode = first & OPCODE;
    if (first & RESERVED)
        return "a frame has reserved bits set";
    if ((opcode > WS_BINARY && opcode < WS_CLOSE) || opcode > WS_PONG)
        return "a frame has a reserved opcode";
    if (opcode >= WS_CLOSE)
        return first & FIN ? NULL : "a control frame is fragmented";
    if (opcode == WS_CONTINUATION && reader->kind == WS_CONTINUATION)
        return "a continuation frame continues nothing";
    if (opcode != WS_CONTINUATION && reader->kind != WS_CONTINUATION)
        return "a message begins before the fragmented one has ended";
    return NULL;
}

static const char *check_second(const struct wsreader *reader, uint8_t second)
{
    if (second & MASK)
        return "a frame of the server is masked";
    if ((reader->head[0] & OPCODE) >= WS_CLOSE && (second & LENGTH) > WS_CONTROL_BYTES)
        return "a control frame has more than 125 bytes";
    return NULL;
}

/* Takes bytes of the head, and checks each as it comes: a wrong one needs no second. True when it is
 * whole, or wrong. */
static bool read_head(struct wsreader *reader, struct ipc_bytes *input)
{
    while (input->length > 0) {
        uint8_t byte = *input->data++;
        input->length--;
        reader->head[reader->head_length++] = byte;
        if (reader->head_length == 1)
            reader->problem = check_first(reader, byte);
        else if (reader->head_length == 2)
            reader->problem = check_second(reader, byte);
        if (reader->problem)
            return true;
        if (reader->head_length >= 2 && reader->head_length == head_size(reader->head[1]))
            return true;
    }
    return false;
}

static uint64_t read_length(const struct wsreader *reader)
{
    uint64_t length = reader->head[1] & LENGTH;
    if (reader->head_length == 2)
        return length;
    length = 0;
    for (size_t i = 2; i < reader->head_length; i++)
        length = length << 8 | reader->head[i];
    return length;
}

static void begin_message(struct wsreader *reader)
{
    reader->kind = reader->opcode;
    reader->message_bytes = 0;
    reader->text = (struct ipc_utf8){ { 0 }, 0 };
}

/* Before any of it is received: what is too large is not worth waiting for. */
static bool fits(const struct wsreader *reader)
{
    return reader->limit_bytes == 0 || reader->left <= reader->limit_bytes - reader->message_bytes;
}

static enum wsreader_result begin_frame(struct wsreader *reader)
{
    reader->opcode = (enum ws_kind)(reader->head[0] & OPCODE);
    reader->final = reader->head[0] & FIN;
    reader->left = read_length(reader);
    reader->in_frame = true;
    reader->control_length = 0;
    if (reader->left > INT64_MAX)
        return fail(reader, WS_CODE_PROTOCOL, "a frame's length has its highest bit set");
    if (reader->opcode >= WS_CLOSE)
        return WSREADER_MORE;
    if (reader->opcode != WS_CONTINUATION)
        begin_message(reader);
    if (!fits(reader))
        return fail(reader, WS_CODE_TOO_LARGE, "a message is larger than max_message_bytes");
    reader->message_bytes += reader->left;
    return WSREADER_MORE;
}

static void end_frame(struct wsreader *reader)
{
    reader->in_frame = false;
    reader->head_length = 0;
}

/* ---- payload ---- */

static struct ipc_bytes take(struct wsreader *reader, struct ipc_bytes *input)
{
    struct ipc_bytes taken = *input;
    if (taken.length > reader->left)
        taken.length = (size_t)reader->left;
    input->data += taken.length;
    input->length -= taken.length;
    reader->left -= taken.length;
    return taken;
}

static enum wsreader_result read_message(struct wsreader *reader, struct ipc_bytes *input,
                                         struct wsreader_piece *piece)
{
    piece->kind = reader->kind;
    piece->message_bytes = reader->message_bytes;
    piece->payload = take(reader, input);
    piece->final = reader->final && reader->left == 0;
    if (reader->kind == WS_TEXT
        && (!ipc_utf8_feed(&reader->text, piece->payload.data, piece->payload.length)
            || (piece->final && !ipc_utf8_complete(&reader->text))))
        return fail(reader, WS_CODE_NOT_UTF8, "a text message is not UTF-8");
    if (reader->left == 0)
        end_frame(reader);
    if (piece->final)
        reader->kind = WS_CONTINUATION;
    return piece->payload.length > 0 || piece->final ? WSREADER_PIECE : WSREADER_MORE;
}

static enum wsreader_result read_close(struct wsreader *reader, struct wsreader_piece *piece)
{
    reader->closed = true;
    piece->code = WS_CODE_NONE;
    if (piece->payload.length == 0)
        return WSREADER_CONTROL;
    if (piece->payload.length == 1)
        return fail(reader, WS_CODE_PROTOCOL, "a close frame has half a code");
    piece->code = (unsigned)(piece->payload.data[0] << 8 | piece->payload.data[1]);
    piece->payload.data += 2;
    piece->payload.length -= 2;
    if (!ws_code_valid(piece->code))
        return fail(reader, WS_CODE_PROTOCOL, "a close frame has a code that none may have");
    if (!ipc_utf8_valid(piece->payload.data, piece->payload.length))
        return fail(reader, WS_CODE_NOT_UTF8, "the reason in a close frame is not UTF-8");
    return WSREADER_CONTROL;
}

static enum wsreader_result read_control(struct wsreader *reader, struct ipc_bytes *input,
                                         struct wsreader_piece *piece)
{
    struct ipc_bytes taken = take(reader, input);
    if (taken.length > 0)
        memcpy(reader->control + reader->control_length, taken.data, taken.length);
    reader->control_length += taken.length;
    if (reader->left > 0)
        return WSREADER_MORE;
    end_frame(reader);
    piece->kind = reader->opcode;
    piece->final = true;
    piece->payload = (struct ipc_bytes){ reader->control, reader->control_length };
    return reader->opcode == WS_CLOSE ? read_close(reader, piece) : WSREADER_CONTROL;
}

/* ---- all ---- */

static enum wsreader_result step(struct wsreader *reader, struct ipc_bytes *input,
                                 struct wsreader_piece *piece)
{
    if (!reader->in_frame) {
        if (!read_head(reader, input))
            return WSREADER_MORE;
        if (reader->problem)
            return fail(reader, WS_CODE_PROTOCOL, reader->problem);
        if (begin_frame(reader) == WSREADER_FAILED)
            return WSREADER_FAILED;
    }
    return reader->opcode >= WS_CLOSE ? read_control(reader, input, piece)
        : read_message(reader, input, piece);
}

enum wsreader_result wsreader_next(struct wsreader *reader, struct ipc_bytes *input,
                                   struct wsreader_piece *ret_piece)
{
    enum wsreader_result result = WSREADER_MORE;
    if (reader->problem)
        return WSREADER_FAILED;
    *ret_piece = (struct wsreader_piece){ .kind = WS_CONTINUATION };
    while (result == WSREADER_MORE && input->length > 0 && !reader->closed)
        result = step(reader, input, ret_piece);
    if (reader->closed && result == WSREADER_MORE)
        input->length = 0;
    return result;
}
