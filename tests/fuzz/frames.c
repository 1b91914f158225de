/* Frames of any speaker: read, scan, decode; and what was decoded must survive being packed again.
 * The first byte of the input names the speaker, the rest is what the peer sent. */
#include "target.h"

#include "ipc/pack.h"
#include "ipc/scan.h"
#include "ipc/unpack.h"

#include <msgpack.h>
#include <string.h>

static const enum ipc_speaker speakers[] = { IPC_CLIENT, IPC_DAEMON_TO_CLIENT, IPC_DAEMON_TO_WORKER, IPC_WORKER };

/* What the scan lets pass, msgpack-c must take to the last byte, within the memory limit. */
static void check_scan(const struct ipc_frame *frame)
{
    msgpack_unpacked unpacked;
    size_t used = 0;
    if (!ipc_scan(frame->body, frame->body_length))
        return;
    msgpack_unpacked_init(&unpacked);
    HOLDS(msgpack_unpack_next(&unpacked, (const char *)frame->body, frame->body_length, &used) > 0);
    HOLDS(used == frame->body_length);
    msgpack_unpacked_destroy(&unpacked);
}

/* Packs a decoded message, decodes that, packs it again: the two packed forms are the same. */
static void check_repack(struct ipc_decoder *decoder, enum ipc_speaker speaker, unsigned number, uint32_t id,
                         const union ipc_any *message)
{
    struct ipc_buffer first, second;
    struct ipc_frame frame;
    union ipc_any again;
    ipc_buffer_init(&first, 2 * IPC_FRAME_BYTES);
    ipc_buffer_init(&second, 2 * IPC_FRAME_BYTES);
    if (ipc_pack(&first, speaker, number, id, message) == 0) {
        HOLDS(ipc_frame_read(ipc_buffer_data(&first), ipc_buffer_length(&first), &frame, NULL) == IPC_FRAME_OK);
        HOLDS(frame.type == number && frame.id == id && frame.whole_length == ipc_buffer_length(&first));
        HOLDS(ipc_unpack(decoder, speaker, &frame, &again) == 0);
        HOLDS(ipc_pack(&second, speaker, number, id, &again) == 0);
        HOLDS(ipc_buffer_length(&first) == ipc_buffer_length(&second));
        HOLDS(memcmp(ipc_buffer_data(&first), ipc_buffer_data(&second), ipc_buffer_length(&first)) == 0);
    }
    ipc_buffer_finish(&first);
    ipc_buffer_finish(&second);
}

static void check_data(struct ipc_decoder *decoder, const struct ipc_frame *frame)
{
    struct ipc_bytes payload;
    if (ipc_unpack_data(decoder, frame, &payload) < 0)
        return;
    HOLDS(payload.length <= IPC_DATA_BYTES);
    HOLDS(payload.length == 0 || (payload.data >= frame->body
                                  && payload.data + payload.length == frame->body + frame->body_length));
}

/* Two decoders, because a message borrows from the one that made it. */
static void check_frame(struct ipc_decoder decoders[2], enum ipc_speaker speaker, const struct ipc_frame *frame)
{
    union ipc_any message;
    HOLDS(frame->body_length > 0 && frame->body + frame->body_length == frame->whole + frame->whole_length);
    check_scan(frame);
    if (frame->type == IPC_DATA) {
        check_data(&decoders[0], frame);
    } else if (ipc_unpack(&decoders[0], speaker, frame, &message) == 0) {
        HOLDS(ipc_table(frame->type) && (ipc_table(frame->type)->speakers & speaker));
        check_repack(&decoders[1], speaker, frame->type, frame->id, &message);
    } else {
        HOLDS(memchr(decoders[0].reason, '\0', sizeof decoders[0].reason) && decoders[0].reason[0]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ipc_decoder decoders[2];
    struct ipc_frame frame;
    size_t missing = 0;
    if (size == 0)
        return 0;
    enum ipc_speaker speaker = speakers[*data % 4];
    HOLDS(ipc_decoder_init(&decoders[0]) == 0 && ipc_decoder_init(&decoders[1]) == 0);
    data++, size--;
    for (;;) {
        enum ipc_frame_result result = ipc_frame_read(data, size, &frame, &missing);
        if (result == IPC_FRAME_PARTIAL)
            HOLDS(missing > 0 && missing <= IPC_FRAME_BYTES + IPC_FRAME_PREFIX);
        if (result != IPC_FRAME_OK)
            break;
        HOLDS(frame.whole == data && frame.whole_length <= size);
        check_frame(decoders, speaker, &frame);
        data += frame.whole_length, size -= frame.whole_length;
    }
    ipc_decoder_finish(&decoders[0]);
    ipc_decoder_finish(&decoders[1]);
    return 0;
}
