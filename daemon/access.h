/* Who may connect, and who may do more than fetch. */
#ifndef DAEMON_ACCESS_H
#define DAEMON_ACCESS_H

#include "peer.h"

#include "conf/conf.h"

enum access { ACCESS_DENIED, ACCESS_USER, ACCESS_ADMIN };

/* Root (peer.h) and the daemon's own user are admins, whatever the lists say: nothing here could keep them from
 * it. Else `deny` comes first, then `admin`, then `allow`; who is in none is denied. */
enum access access_of(const struct conf *conf, const struct peer *peer, uint64_t own_user);

#endif
