/* A WebSocket peer that sends anything: however its bytes are cut, the same is heard, and no piece is
 * larger than what came. The first byte says how the second reading is cut, the second the limit of a
 * message, the rest is from the peer. */
#include "target.h"

#include "worker/wsreader.h"

#include <string.h>

/* What a reading told: enough to compare, as pieces differ by the cuts. */
struct heard { uint64_t digest, data_bytes, messages, controls; unsigned code; };

static void digest(struct heard *heard, uint8_t byte)
{
    heard->digest = (heard->digest ^ byte) * 0x100000001b3u;
}

static void hear(struct heard *heard, const struct wsreader_piece *piece, const struct wsreader *reader)
{
    if (piece->kind >= WS_CLOSE) {
        HOLDS(piece->payload.length <= WS_CONTROL_BYTES);
        HOLDS(piece->kind != WS_CLOSE || piece->code == WS_CODE_NONE || ws_code_valid(piece->code));
        HOLDS(piece->kind != WS_CLOSE || ipc_utf8_valid(piece->payload.data, piece->payload.length));
        heard->controls++;
        digest(heard, (uint8_t)piece->kind);
    } else {
        HOLDS(piece->kind == WS_TEXT || piece->kind == WS_BINARY);
        HOLDS(reader->limit_bytes == 0 || piece->message_bytes <= reader->limit_bytes);
        HOLDS(piece->payload.length <= piece->message_bytes);
        heard->data_bytes += piece->payload.length;
        heard->messages += piece->final;
    }
    for (size_t i = 0; i < piece->payload.length; i++)
        digest(heard, piece->payload.data[i]);
    if (piece->final)
        digest(heard, 0xff);
}

/* In memory of the exact size, so that reading behind it is the sanitizer's matter. */
static bool read(struct wsreader *reader, struct heard *heard, const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    struct ipc_bytes input = { exact, size };
    struct wsreader_piece piece;
    enum wsreader_result result;
    if (!exact)
        return false;
    if (size > 0)
        memcpy(exact, data, size);
    while ((result = wsreader_next(reader, &input, &piece)) == WSREADER_PIECE || result == WSREADER_CONTROL)
        hear(heard, &piece, reader);
    free(exact);
    if (result == WSREADER_FAILED)
        heard->code = reader->code;
    HOLDS(result == WSREADER_FAILED ? reader->problem != NULL : input.length == 0);
    return result != WSREADER_FAILED;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wsreader reader;
    struct heard whole = { 0, 0, 0, 0, 0 }, cut = whole;
    if (size < 2)
        return 0;
    size_t step = data[0] % 16 + 1u, limit = data[1];
    data += 2;
    size -= 2;
    wsreader_init(&reader, limit);
    read(&reader, &whole, data, size);
    wsreader_init(&reader, limit);
    for (size_t at = 0; at < size; at += step)
        if (!read(&reader, &cut, data + at, size - at < step ? size - at : step))
            break;
    HOLDS(whole.code == cut.code);
    HOLDS(whole.messages == cut.messages && whole.controls == cut.controls);
    /* A text that goes wrong is heard up to the last cut before. */
    HOLDS(cut.code == WS_CODE_NOT_UTF8 ? cut.data_bytes >= whole.data_bytes
          : cut.data_bytes == whole.data_bytes && cut.digest == whole.digest);
    return 0;
}
