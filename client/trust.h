/* Whose daemon may be talked to. */
#ifndef CLIENT_TRUST_H
#define CLIENT_TRUST_H

#include <stdbool.h>

/* `user` points to a uid_t, on Windows to a SID. True for root (on Windows the system itself, or the administrators), for the
 * user we are, and for one more: $FETCHD_USER (a name, a number or a SID), or, when that is not set, at the system's
 * address the user whose daemon is installed for all (on Windows the account of the service). A program that has more
 * rights than who started it looks at no variable. */
bool trust_user(const void *user, const char *address);

#endif
