/* What a request takes from its session and leaves there: cookies, and hosts that want TLS. */
#include "request_steps.h"

#include "daemon.h"
#include "jar.h"
#include "supervisor.h"

#include <time.h>

/* The cookies of its session for this URL, as they are just now; borrowed from the jar. */
struct ipc_pairs request_pick_cookies(struct request *request, struct ipc_text url, struct ipc_pair *pairs)
{
    struct jar_rules rules = daemon_jar_rules(request->daemon);
    return (struct ipc_pairs){ pairs, jar_pick(request->jar, url, &rules, pairs) };
}

/* The session's name is nothing that a worker needs. */
void request_fill_session(struct request *request, struct ipc_fetch *fetch, struct ipc_pair *pairs)
{
    fetch->session = (struct ipc_text){ NULL, 0 };
    fetch->in_session = request->jar != NULL;
    fetch->jar = request->jar ? request->jar->number : 0;
    if (request->jar)
        fetch->cookies = request_pick_cookies(request, fetch->url, pairs);
}

/* What an answer asks the session to remember; the rules are applied here again, to a worker's word. False
 * when that can't be believed: the worker is on its way out then. */
bool request_remember(struct request *request, const struct ipc_cookie *cookies, size_t count,
                      const struct ipc_hsts *hsts)
{
    struct jar_rules rules = daemon_jar_rules(request->daemon);
    struct ipc_fetch fetch;
    const char *problem = NULL;
    if (count == 0 && !hsts)
        return true;
    if (!request->jar)
        problem = "cookies for a request in no session";
    else if (request_read_kept(request, &fetch) == 0)
        problem = jar_take(request->jar, fetch.url, cookies, count, hsts, request->trusts_tls, &rules);
    if (problem)
        supervisor_breach(request->supervisor, problem);
    return !problem;
}

/* Where a hop leads may want TLS: *ret_url is the URL then, to be freed. -1 without memory. */
int request_upgrade_hop(struct request *request, struct ipc_hop *hop, char **ret_url)
{
    bool failed = false;
    uint64_t now_s = (uint64_t)time(NULL);
    *ret_url = request->jar ? hsts_upgrade(&request->jar->hsts, hop->url, now_s, &failed) : NULL;
    request->upgraded = *ret_url != NULL;
    if (*ret_url)
        hop->url = ipc_text(*ret_url);
    return failed ? -1 : 0;
}
