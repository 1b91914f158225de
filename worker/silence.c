/* How long a kept HTTP/3 connection may be silent. */
#include "silence.h"

#include "transfer.h"

#include <string.h>

#define LEAST_MS 1000

void silence_begin(struct transfer *transfer)
{
    if (strcmp(transfer->alpn, "h3") != 0)
        return;
    transfer->asked_ms = uv_now(transfer->deadline.timer.loop);
    deadline_wake(&transfer->deadline, LEAST_MS);
}

bool silence_check(struct transfer *transfer)
{
    if (transfer->asked_ms == 0)
        return false;
    uint64_t silent_ms = uv_now(transfer->deadline.timer.loop) - transfer->asked_ms;
    uint64_t patience_ms = h3window_patience_ms(&transfer->h3window);
    if (h3window_has_heard(&transfer->h3window) || transfer->headers.complete) {
        transfer->asked_ms = 0;
        return false;
    } else if (silent_ms < patience_ms) {
        deadline_wake(&transfer->deadline, patience_ms - silent_ms);
    } else {
        transfer_doom(transfer, IPC_ERROR_RECEIVE_FAILED, "nothing comes any more on a kept HTTP/3 connection");
        transfer->failure.retryable = transfer->idempotent && !transfer->responded;
        easy_forbid_reuse(transfer->easy);
        transfer_fail(transfer, IPC_ERROR_RECEIVE_FAILED, transfer->failure.message);
    }
    return true;
}
