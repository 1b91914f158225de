/* The bounds scan over msgpack's own grammar (the specification's format table). */
#include "scan.h"

struct scan {
    const uint8_t *at, *end;
};

/* One value's header: how many bytes and how many values follow it. */
struct header { uint64_t bytes, values; };

/* Kinds of header by first byte, for 0xc0 to 0xdf. */
enum kind { NONE, FIXED, BYTES, ARRAY, MAP };
static const struct { uint8_t kind, width; } kinds[32] = {
    [0x00] = { FIXED, 0 }, [0x02] = { FIXED, 0 }, [0x03] = { FIXED, 0 },                   /* nil, false, true */
    [0x04] = { BYTES, 1 }, [0x05] = { BYTES, 2 }, [0x06] = { BYTES, 4 },                   /* bin */
    [0x0a] = { FIXED, 4 }, [0x0b] = { FIXED, 8 },                                          /* float */
    [0x0c] = { FIXED, 1 }, [0x0d] = { FIXED, 2 }, [0x0e] = { FIXED, 4 }, [0x0f] = { FIXED, 8 }, /* uint */
    [0x10] = { FIXED, 1 }, [0x11] = { FIXED, 2 }, [0x12] = { FIXED, 4 }, [0x13] = { FIXED, 8 }, /* int */
    [0x19] = { BYTES, 1 }, [0x1a] = { BYTES, 2 }, [0x1b] = { BYTES, 4 },                   /* str */
    [0x1c] = { ARRAY, 2 }, [0x1d] = { ARRAY, 4 }, [0x1e] = { MAP, 2 }, [0x1f] = { MAP, 4 },
};

static bool read_length(struct scan *scan, unsigned width, uint64_t *ret_length)
{
    if ((size_t)(scan->end - scan->at) < width)
        return false;
    uint64_t length = 0;
    for (unsigned i = 0; i < width; i++)
        length = length << 8 | *scan->at++;
    *ret_length = length;
    return true;
}

static bool read_sized(struct scan *scan, uint8_t first, struct header *ret_header)
{
    uint8_t kind = kinds[first - 0xc0].kind, width = kinds[first - 0xc0].width;
    uint64_t length;
    if (kind == NONE)
        return false;
    if (kind == FIXED) {
        ret_header->bytes = width;
        return true;
    }
    if (!read_length(scan, width, &length))
        return false;
    if (kind == BYTES)
        ret_header->bytes = length;
    else
        ret_header->values = kind == MAP ? length * 2 : length;
    return true;
}

/* How many bytes and how many values follow a first byte that is followed by nothing else of a header. */
static inline bool read_plain(uint8_t first, uint64_t *ret_bytes, uint64_t *ret_values)
{
    if (first >= 0xc0 && first < 0xe0)
        return false;
    *ret_bytes = first >= 0xa0 && first < 0xc0 ? first & 0x1fu : 0;
    *ret_values = 0;
    if (first >= 0x80 && first < 0xa0)
        *ret_values = first < 0x90 ? 2u * (first & 0x0fu) : first & 0x0fu;
    return true;
}

bool ipc_scan(const uint8_t *bytes, size_t length)
{
    struct scan scan = { bytes, bytes + length };
    uint64_t open[IPC_SCAN_DEPTH + 1] = { 1 };   /* values still to come at each depth */
    unsigned depth = 0;
    for (size_t values_left = IPC_SCAN_VALUES; values_left > 0 && scan.at < scan.end; values_left--) {
        struct header header = { 0, 0 };
        uint8_t first = *scan.at++;
        if (!read_plain(first, &header.bytes, &header.values) && !read_sized(&scan, first, &header))
            return false;
        size_t left = (size_t)(scan.end - scan.at);
        if (header.bytes > left || header.values > left)
            return false;
        scan.at += header.bytes;
        open[depth]--;
        if (header.values > 0) {
            if (depth == IPC_SCAN_DEPTH)
                return false;
            open[++depth] = header.values;
        }
        while (open[depth] == 0) {
            if (depth == 0)
                return scan.at == scan.end;
            depth--;
        }
    }
    return false;
}
