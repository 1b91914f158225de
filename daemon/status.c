/* What STATUS answers: counted here, never asked of a worker, so it is told while they are busy. */
#include "status.h"

#include "daemon.h"
#include "request.h"
#include "supervisor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_WORKERS 1024   /* all as in messages.def */
#define STATUS_ORIGINS 256
#define STATUS_PROXIES 256
#define STATUS_USERS 256
#define STATUS_CLASS_BYTES 64

struct filling { struct ipc_worker_status *workers; size_t count, capacity; };

static void fill_worker(struct supervisor *supervisor, void *context)
{
    struct filling *filling = context;
    const struct daemon *daemon = supervisor->daemon;
    bool alive = supervisor->state != SUPERVISOR_WAITING && supervisor->state != SUPERVISOR_STOPPED;
    if (filling->count == filling->capacity)
        return;
    const char *class = crew_class(&daemon->crew, supervisor);
    filling->workers[filling->count++] = (struct ipc_worker_status){
        .worker = supervisor->number,
        .class = ipc_text(class ? class : ""),
        .state = ipc_text(supervisor_state_name(supervisor->state)),
        .pid = alive ? supervisor->pid : 0,
        .age_ms = alive ? uv_now(&daemon->loop) - supervisor->started_ms : 0,
        .in_flight = HASH_CNT(worker_handle, supervisor->requests),
        .served = supervisor->served,
        .failed = supervisor->failed,
        .restarts = supervisor->restarts,
        .rss_bytes = supervisor->beat.rss_bytes,
        .open_fds = supervisor->beat.open_fds,
        .connections = supervisor->beat.connections,
        .tls_handshakes = supervisor->health.handshakes,
        .tls_failures = health_failures(&supervisor->health),
        .close_wait = supervisor->beat.close_wait,
    };
}

/* The most used come first. */
static int compare_origins(const void *left, const void *right)
{
    const struct ipc_origin_status *a = left, *b = right;
    if (a->open != b->open)
        return a->open > b->open ? -1 : 1;
    return (a->attempts < b->attempts) - (a->attempts > b->attempts);
}

static size_t fill_origins(const struct daemon *daemon, struct ipc_origin_status **ret_origins)
{
    size_t count = 0, all = HASH_CNT(handle, daemon->origins.by_key);
    struct ipc_origin_status *origins = calloc(all ? all : 1, sizeof *origins);
    *ret_origins = origins;
    if (!origins)
        return 0;
    for (const struct origin *origin = daemon->origins.by_key; origin && count < all; origin = origin->handle.next)
        origins[count++] = (struct ipc_origin_status){
            .origin = ipc_text(origin->key),
            .open = origin->references,
            .active = origin->active,
            .attempts = origin->requests,
            .failed = origin->failed,
            .breaker = ipc_text(origin_breaker_name(origin->breaker)),
            .tls_handshakes = origin->health.handshakes,
            .tls_failures = health_failures(&origin->health),
        };
    qsort(origins, count, sizeof *origins, compare_origins);
    return count < STATUS_ORIGINS ? count : STATUS_ORIGINS;
}

/* The most used come first. */
static int compare_users(const void *left, const void *right)
{
    const struct ipc_user_status *a = left, *b = right;
    if (a->in_flight != b->in_flight)
        return a->in_flight > b->in_flight ? -1 : 1;
    return (a->accepted < b->accepted) - (a->accepted > b->accepted);
}

static size_t fill_users(const struct daemon *daemon, struct ipc_user_status **ret_users)
{
    size_t count = 0, all = daemon->principals.count;
    struct ipc_user_status *users = calloc(all ? all : 1, sizeof *users);
    *ret_users = users;
    if (!users)
        return 0;
    for (const struct principal *user = daemon->principals.first; user && count < all; user = user->next)
        users[count++] = (struct ipc_user_status){
            .user = user->user,
            .sessions = user->sessions,
            .in_flight = user->in_flight,
            .accepted = user->accepted,
            .succeeded = user->succeeded,
            .failed = user->failed,
            .kept_bytes = user->kept_bytes,
        };
    qsort(users, count, sizeof *users, compare_users);
    return count < STATUS_USERS ? count : STATUS_USERS;
}

static size_t count_proxies(const struct proxypools *pools)
{
    size_t count = 0;
    for (size_t i = 0; i < pools->count; i++)
        count += pools->pools[i].count;
    return count < STATUS_PROXIES ? count : STATUS_PROXIES;
}

static struct ipc_proxy_status proxy_status(const char *pool, const struct pooled_proxy *proxy,
                                            uint64_t now_ms)
{
    bool rests = pooled_proxy_rests(proxy, now_ms);
    return (struct ipc_proxy_status){
        .pool = ipc_text(pool),
        .proxy = ipc_text(proxy->label),
        .state = ipc_text(rests ? "resting" : "up"),
        .active = proxy->active,
        .attempts = proxy->attempts,
        .failed = proxy->failed,
        .ejections = proxy->ejections,
        .rests_ms = rests ? proxy->rests_until_ms - now_ms : 0,
    };
}

static size_t fill_proxies(const struct daemon *daemon, struct ipc_proxy_status **ret_proxies)
{
    const struct proxypools *pools = &daemon->proxypools;
    size_t count = 0, most = count_proxies(pools);
    struct ipc_proxy_status *proxies = calloc(most ? most : 1, sizeof *proxies);
    *ret_proxies = proxies;
    for (size_t i = 0; proxies && i < pools->count; i++)
        for (size_t k = 0; k < pools->pools[i].count && count < most; k++)
            proxies[count++] = proxy_status(pools->pools[i].name, pools->pools[i].proxies[k],
                                            uv_now(&daemon->loop));
    return count;
}

static struct ipc_status_reply begin_reply(const struct session *session)
{
    const struct daemon *daemon = session->daemon;
    struct ipc_status_reply reply;
    IPC_INIT(STATUS_REPLY, &reply);
    reply.server = IPC_TEXT("fetchd " FETCHD_VERSION);
    reply.instance = ipc_text(daemon->instance);
    reply.state = ipc_text(daemon->state == DAEMON_RUNNING ? "running" : "draining");
    reply.uptime_ms = uv_now(&daemon->loop) - daemon->started_ms;
    reply.user = session->peer.user;
    reply.class = (struct ipc_text){ session->class->name, strnlen(session->class->name, STATUS_CLASS_BYTES) };
    return reply;
}

/* What others do, and how the workers are that they share, is none of its business. */
static void send_own(struct session *session, uint32_t id)
{
    const struct principal *principal = session->principal;
    struct ipc_status_reply reply = begin_reply(session);
    reply.own = true;
    reply.sessions = principal->sessions;
    reply.in_flight = principal->in_flight;
    reply.accepted = principal->accepted;
    reply.succeeded = principal->succeeded;
    reply.failed = principal->failed;
    session_send(session, IPC_STATUS_REPLY, id, &reply);
}

static void send_all(struct session *session, uint32_t id)
{
    struct daemon *daemon = session->daemon;
    struct filling filling = { .capacity = STATUS_WORKERS };
    filling.workers = calloc(filling.capacity, sizeof *filling.workers);
    struct ipc_status_reply reply = begin_reply(session);
    struct ipc_origin_status *origins;
    struct ipc_user_status *users;
    struct ipc_proxy_status *proxies;
    size_t rss_bytes = 0;
    if (!filling.workers) {
        session_fail(session, IPC_ERROR_OUT_OF_MEMORY, "no memory for the status");
        return;
    }
    crew_visit(&daemon->crew, fill_worker, &filling);
    uv_resident_set_memory(&rss_bytes);
    reply.pid = (uint64_t)uv_os_getpid();
    reply.sessions = daemon->session_count;
    reply.in_flight = daemon->in_flight;
    reply.accepted = daemon->accepted;
    reply.succeeded = daemon->succeeded;
    reply.failed = daemon->failed;
    reply.rss_bytes = rss_bytes;
    reply.queued = daemon_queued(daemon);
    reply.retries = daemon->retries;
    reply.origins.count = fill_origins(daemon, &origins);
    reply.origins.items = origins;
    reply.proxies.count = fill_proxies(daemon, &proxies);
    reply.proxies.items = proxies;
    reply.users.count = fill_users(daemon, &users);
    reply.users.items = users;
    reply.workers.items = filling.workers;
    reply.workers.count = filling.count;
    session_send(session, IPC_STATUS_REPLY, id, &reply);
    free(users);
    free(proxies);
    free(origins);
    free(filling.workers);
}

void status_send(struct session *session, uint32_t id)
{
    if (session->admin)
        send_all(session, id);
    else
        send_own(session, id);
}

void status_line(const struct daemon *daemon, char *ret_text, size_t size)
{
    unsigned requests = daemon->in_flight, connections = daemon->session_count;
    int used = snprintf(ret_text, size, "%s, %u request%s open, %u connection%s, %u of %u workers ready",
                        daemon->state == DAEMON_RUNNING ? "running" : "draining", requests, requests == 1 ? "" : "s",
                        connections, connections == 1 ? "" : "s", crew_ready(&daemon->crew), daemon->crew.size);
    if (used > 0 && (size_t)used < size && *daemon->reload_error)
        snprintf(ret_text + used, size - (size_t)used, "; the last reload was refused: %s", daemon->reload_error);
}
