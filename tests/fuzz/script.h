/* An input read as a script: records of an operation, a choice and bytes. Whatever the bytes are, it is
 * one; a mutation of it stays one.
 *
 *   operation u8, choice u8, length u16 (big-endian), bytes
 *
 * Operations below SCRIPT_FIRST_OWN are frames: the message with that place in messages.def, the id that
 * `choice` means, the bytes as its body. The others are the target's. */
#ifndef FUZZ_SCRIPT_H
#define FUZZ_SCRIPT_H

#include "end.h"

#define SCRIPT_FIRST_OWN 0x80

struct script { const uint8_t *at; size_t left; };
struct script_record { unsigned operation, choice; const uint8_t *bytes; size_t length; };

bool script_next(struct script *script, struct script_record *ret_record);

/* The id that a choice means to one end: none, one of those in use, the newest, the next, none at all. */
uint32_t script_id(const struct end *end, unsigned choice);

/* Sends the frame that a record stands for. */
void script_send(struct end *end, const struct script_record *record);

#endif
