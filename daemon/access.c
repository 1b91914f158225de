/* [access]: three lists and two users whom they do not concern. */
#include "access.h"

static bool has(const struct conf_members *members, const struct peer *peer)
{
    return conf_members_have(members, peer->user, peer->groups, peer->group_count);
}

enum access access_of(const struct conf *conf, const struct peer *peer, uint64_t own_user)
{
    if (peer->root || peer->user == own_user)
        return ACCESS_ADMIN;
    if (has(&conf->access_deny, peer))
        return ACCESS_DENIED;
    if (has(&conf->access_admin, peer))
        return ACCESS_ADMIN;
    return has(&conf->access_allow, peer) ? ACCESS_USER : ACCESS_DENIED;
}
