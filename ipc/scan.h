/* The bounds scan that comes before any decoding. A decoder that believes a header lets five bytes that
 * announce four billion elements make it allocate for them. Pure, allocates nothing. */
#ifndef IPC_SCAN_H
#define IPC_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IPC_SCAN_DEPTH 8
#define IPC_SCAN_VALUES 32768   /* in one frame: bounds what decoding may allocate */

/* True when `bytes` hold exactly one well-formed msgpack value, nested at most IPC_SCAN_DEPTH deep
 * and of at most IPC_SCAN_VALUES values, in which every count and length fits the bytes that are
 * there. Ext types are refused: no message uses them. */
bool ipc_scan(const uint8_t *bytes, size_t length);

#endif
