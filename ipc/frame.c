/* Length-prefixed frames and the [type, id, body] around each message. */
#include "frame.h"

#include "message.h"

#include <stdbool.h>

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* One msgpack integer of any width, as long as it is not negative and fits 32 bits: programs with
 * 64-bit integers write them as such. Its size, or 0. */
static size_t read_uint(const uint8_t *at, size_t left, uint32_t *ret_value)
{
    if (left >= 1 && at[0] < 0x80) {
        *ret_value = at[0];
        return 1;
    }
    if (left < 1 || at[0] < 0xcc || at[0] > 0xd3)
        return 0;
    size_t width = (size_t)1 << (at[0] & 3);
    bool negative = at[0] >= 0xd0 && left > 1 && at[1] >= 0x80;
    uint64_t value = 0;
    if (left <= width || negative)
        return 0;
    for (size_t i = 1; i <= width; i++)
        value = value << 8 | at[i];
    *ret_value = (uint32_t)value;
    return value <= UINT32_MAX ? 1 + width : 0;
}

static bool read_header(const uint8_t *at, size_t left, struct ipc_frame *frame)
{
    if (left < 1 || at[0] != 0x93)
        return false;
    size_t used = 1;
    uint32_t type, id;
    size_t size = read_uint(at + used, left - used, &type);
    if (size == 0)
        return false;
    used += size;
    size = read_uint(at + used, left - used, &id);
    if (size == 0 || used + size >= left)
        return false;
    used += size;
    frame->type = type;
    frame->id = id;
    frame->body = at + used;
    frame->body_length = left - used;
    return true;
}

enum ipc_frame_result ipc_frame_read(const uint8_t *bytes, size_t length, struct ipc_frame *ret_frame,
                                     size_t *ret_missing)
{
    size_t missing = 0;
    enum ipc_frame_result result;
    if (length < IPC_FRAME_PREFIX) {
        missing = IPC_FRAME_PREFIX - length;
        result = IPC_FRAME_PARTIAL;
    } else {
        uint32_t size = read_u32(bytes);
        struct ipc_frame frame = { .whole = bytes, .whole_length = IPC_FRAME_PREFIX + (size_t)size };
        if (size > IPC_FRAME_BYTES) {
            result = IPC_FRAME_TOO_LARGE;
        } else if (length < frame.whole_length) {
            missing = frame.whole_length - length;
            result = IPC_FRAME_PARTIAL;
        } else if (!read_header(bytes + IPC_FRAME_PREFIX, size, &frame)) {
            result = IPC_FRAME_MALFORMED;
        } else {
            *ret_frame = frame;
            result = IPC_FRAME_OK;
        }
    }
    if (ret_missing)
        *ret_missing = missing;
    return result;
}

const char *ipc_frame_result_text(enum ipc_frame_result result)
{
    switch (result) {
    case IPC_FRAME_OK: return "a whole frame";
    case IPC_FRAME_PARTIAL: return "a partial frame";
    case IPC_FRAME_TOO_LARGE: return "a frame above 1 MiB";
    case IPC_FRAME_MALFORMED: return "a frame that is not [type, id, body]";
    }
    return "an unknown result";
}
