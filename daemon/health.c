/* TLS health. */
#include "health.h"

#define ENOUGH 20                /* handshakes to judge by */
#define HIGH_PERCENT 20
#define TIMES_OTHERS 3

const char *health_reason_name(enum health_reason reason)
{
    static const char *const names[HEALTH_REASONS] = { "peer_reset", "certificate", "handshake", "timeout" };
    return names[reason];
}

enum health_reason health_reason_of(enum ipc_error_code code)
{
    static const struct { enum ipc_error_code code; enum health_reason reason; } reasons[] = {
        { IPC_ERROR_TLS_PEER_RESET, HEALTH_PEER_RESET }, { IPC_ERROR_TLS_CERTIFICATE, HEALTH_CERTIFICATE },
        { IPC_ERROR_TLS_HANDSHAKE, HEALTH_HANDSHAKE }, { IPC_ERROR_TLS_PINNED_KEY, HEALTH_CERTIFICATE },
        { IPC_ERROR_TLS_TIMEOUT, HEALTH_TIMEOUT },
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].code == code)
            return reasons[i].reason;
    return HEALTH_REASONS;
}

uint64_t health_failures(const struct health *health)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < HEALTH_REASONS; i++)
        sum += health->failures[i];
    return sum;
}

void health_note_success(struct health *health)
{
    health->handshakes++;
    health->recent++;
}

void health_note_failure(struct health *health, enum health_reason reason, bool blames)
{
    health->failures[reason]++;
    if (!blames)
        return;
    health->recent++;
    health->recent_failures++;
}

void health_fade(struct health *health)
{
    health->recent /= 2;
    health->recent_failures /= 2;
}

bool health_stands_out(const struct health *const *all, size_t count, size_t suspect)
{
    uint64_t others = 0, others_failed = 0;
    uint64_t own = all[suspect]->recent, failed = all[suspect]->recent_failures;
    for (size_t i = 0; i < count; i++) {
        if (i == suspect)
            continue;
        others += all[i]->recent;
        others_failed += all[i]->recent_failures;
    }
    if (own < ENOUGH || others < ENOUGH || failed * 100 < own * HIGH_PERCENT)
        return false;
    return failed * others > TIMES_OTHERS * others_failed * own;
}
