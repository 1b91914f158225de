/* TLS health: handshakes and their failures, counted by whoever is asked about (a worker, an origin,
 * a proxy), and which worker's failures stand out from its siblings'. Pure: no clock. */
#ifndef DAEMON_HEALTH_H
#define DAEMON_HEALTH_H

#include "ipc/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum health_reason { HEALTH_PEER_RESET, HEALTH_CERTIFICATE, HEALTH_HANDSHAKE, HEALTH_TIMEOUT, HEALTH_REASONS };
const char *health_reason_name(enum health_reason reason);

struct health {
    uint64_t handshakes;                  /* that succeeded */
    uint64_t failures[HEALTH_REASONS];
    /* The recent past, halved each period, for judging a worker: only failures at origins where
     * other handshakes succeed, so that an origin which fails everywhere blames nobody. */
    unsigned recent, recent_failures;
};

uint64_t health_failures(const struct health *health);

/* The reason that an error stands for, or HEALTH_REASONS for one that is not TLS's. */
enum health_reason health_reason_of(enum ipc_error_code code);

void health_note_success(struct health *health);
void health_note_failure(struct health *health, enum health_reason reason, bool blames);

/* A period is over: the recent past fades. */
void health_fade(struct health *health);

/* Does number `suspect` of `count` stand out: enough handshakes to judge, and a failure rate that is
 * high and three times that of all others together? */
bool health_stands_out(const struct health *const *all, size_t count, size_t suspect);

#endif
