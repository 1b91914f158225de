/* Flow control by bytes. */
#include "credit.h"

#include "message.h"

int64_t ipc_credit_cost(size_t payload_bytes)
{
    return (int64_t)payload_bytes + IPC_FRAME_CHARGE;
}

size_t ipc_credit_payload(int64_t credit)
{
    if (credit <= IPC_FRAME_CHARGE)
        return 0;
    int64_t payload = credit - IPC_FRAME_CHARGE;
    return payload < IPC_DATA_BYTES ? (size_t)payload : IPC_DATA_BYTES;
}

bool ipc_credit_add(int64_t *credit, uint64_t bytes)
{
    if (bytes > (uint64_t)IPC_CREDIT_MAX || *credit > IPC_CREDIT_MAX - (int64_t)bytes)
        return false;
    *credit += (int64_t)bytes;
    return true;
}

void ipc_window_init(struct ipc_window *window, int64_t bytes)
{
    *window = (struct ipc_window){ .available = bytes, .window = bytes };
}

bool ipc_window_spend(struct ipc_window *window, size_t payload_bytes)
{
    int64_t cost = ipc_credit_cost(payload_bytes);
    if (cost > window->available)
        return false;
    window->available -= cost;
    return true;
}

int64_t ipc_window_consume(struct ipc_window *window, size_t payload_bytes)
{
    window->owed += ipc_credit_cost(payload_bytes);
    if (window->owed < window->window / 2)
        return 0;
    int64_t grant = window->owed;
    window->owed = 0;
    window->available += grant;
    return grant;
}
