/* Windows' users and groups. A SID is told apart by a number made of it, the same after each restart; a table
 * remembers which SID each number stands for, and refuses a second one for it. For one thread. */
#ifndef CONF_SID_H
#define CONF_SID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_SID_TEXT_BYTES 192    /* of S-1-5-21-... */
#define CONF_SID_NAME_BYTES 400    /* of EXAMPLE\alice */

/* False when the number is another SID's already, or when there are too many, or no memory. */
bool conf_sid_number(const void *sid, uint64_t *ret_number);

/* The SID of a number that was given out; NULL for others. It stays. */
const void *conf_sid_of(uint64_t number);

/* "S-1-5-18", or "" for a number that was never given out. */
void conf_sid_text(uint64_t number, char ret_text[CONF_SID_TEXT_BYTES]);

/* "NT AUTHORITY\SYSTEM", or "" when nobody knows it. Asked of the system once, which may ask a domain's. */
void conf_sid_name(uint64_t number, char ret_name[CONF_SID_NAME_BYTES]);

#endif
