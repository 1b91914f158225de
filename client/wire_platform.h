/* Between wire.c and its platform half; nobody else includes it. */
#ifndef CLIENT_WIRE_PLATFORM_H
#define CLIENT_WIRE_PLATFORM_H

#include "wire.h"

/* For a new connection: nothing came, nothing is to be sent. 0, or -1 without memory. */
int wire_begin(struct wire *wire, int fd);

/* Frees what wire_begin() made. */
void wire_forget(struct wire *wire);

/* Nothing can be sent any more; what was queued is dropped. */
void wire_break_out(struct wire *wire);

/* How much can be read to wire->in + wire->in_end. */
size_t wire_make_room(struct wire *wire);

#endif
