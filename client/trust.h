/* Whose daemon may be talked to. */
#ifndef CLIENT_TRUST_H
#define CLIENT_TRUST_H

#include <stdbool.h>
#include <sys/types.h>

/* True for root, for the user we are, and for one more: $FETCHD_USER (a name or a number), or, when that
 * is not set, at the system's address the user whose daemon is installed for all. A program that has
 * more rights than who started it looks at no variable. */
bool trust_user(uid_t user, const char *address);

#endif
