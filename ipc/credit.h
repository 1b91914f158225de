/* Flow control by bytes: a sender spends credit, a receiver gives it back in large pieces. Each
 * DATA costs its payload and IPC_FRAME_CHARGE, so that tiny frames are not free. Pure. */
#ifndef IPC_CREDIT_H
#define IPC_CREDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IPC_CREDIT_MAX ((int64_t)1 << 31)   /* more than this outstanding is a violation */

/* What a payload costs. */
int64_t ipc_credit_cost(size_t payload_bytes);

/* The largest payload, at most IPC_DATA_BYTES, that this much credit pays for; 0 for none. */
size_t ipc_credit_payload(int64_t credit);

/* Adds a grant. False when the sum would pass IPC_CREDIT_MAX: the peer lies or errs. */
bool ipc_credit_add(int64_t *credit, uint64_t bytes);

/* A receiver's side. `window` is what the peer may have outstanding; `owed` what was consumed and
 * not yet given back. */
struct ipc_window { int64_t available, owed, window; };

void ipc_window_init(struct ipc_window *window, int64_t bytes);

/* The peer sent `payload_bytes`. False when it had no credit for them: a violation. */
bool ipc_window_spend(struct ipc_window *window, size_t payload_bytes);

/* That payload was consumed. Returns how much to grant now: 0, or at least half the window. */
int64_t ipc_window_consume(struct ipc_window *window, size_t payload_bytes);

#endif
