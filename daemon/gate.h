/* One WebSocket handshake at a time to a host and port: RFC 6455, 4.1, step 2 has the next one wait until
 * the one before is open or has failed. Each principal has a gate of its own, so that a handshake which
 * hangs holds up its own user's alone. Pure: no clock, no libuv. */
#ifndef DAEMON_GATE_H
#define DAEMON_GATE_H

#include <stdbool.h>
#include <stdint.h>

struct gate;
struct gates {
    struct gate *by_key;      /* those that somebody is at */
};
struct request;

/* May this request's handshake begin, when `limit` may be under way (0: any number)? If not, it waits in
 * the order of arrival. Either way it is at the gate until gate_leave. */
bool gate_pass(struct gates *gates, struct request *request, uint32_t principal, uint64_t limit);

/* Its handshake is over, or it waits no longer; without effect for one that is at no gate. Returns the
 * request whose turn it is then, which has passed; NULL when there is none. */
struct request *gate_leave(struct gates *gates, struct request *request, uint64_t limit);

#endif
