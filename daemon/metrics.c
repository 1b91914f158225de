/* The metrics. To add one: a row in `families`, and a function that writes its samples. */
#include "metrics.h"

#include "daemon.h"
#include "proxy.h"
#include "request.h"
#include "supervisor.h"

#include <stdarg.h>
#include <stdio.h>
#include <utlist.h>

#define ORIGINS_SHOWN 200   /* labels cost memory in whoever collects them */
#define PROXIES_SHOWN 200
#define RESERVE_BYTES 8192  /* for what stands there in any case: the heads of families */

struct writing {
    struct daemon *daemon;
    const struct principal *only;   /* NULL: everyone's */
    struct ipc_buffer *out;
    const char *name;
    size_t start, room;     /* where our text begins, and how long it may be */
    unsigned dropped;       /* lines that found none */
    int result;
};

/* What finds no room is left out whole. */
static void __attribute__((format(gnu_printf, 2, 3))) put(struct writing *writing, const char *format, ...)
{
    char line[768];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    size_t used = ipc_buffer_length(writing->out) - writing->start;
    if (length < 0 || (size_t)length >= sizeof line || used + (size_t)length > writing->room)
        writing->dropped++;
    else if (ipc_buffer_append(writing->out, line, (size_t)length) < 0)
        writing->result = -1;
}

static void put_value(struct writing *writing, uint64_t value)
{
    put(writing, "%s %llu\n", writing->name, (unsigned long long)value);
}

static void put_labelled(struct writing *writing, const char *label, const char *label_value, uint64_t value)
{
    put(writing, "%s{%s=\"%s\"} %llu\n", writing->name, label, label_value, (unsigned long long)value);
}

/* ---- the daemon's own ---- */

static void put_results(struct writing *writing, uint64_t succeeded, uint64_t failed)
{
    put_labelled(writing, "result", "ok", succeeded);
    put_labelled(writing, "result", "error", failed);
}

static void put_errors(struct writing *writing, const uint64_t errors[IPC_ERROR_COUNT])
{
    for (int code = IPC_ERROR_NONE + 1; code < IPC_ERROR_COUNT; code++)
        if (errors[code] > 0)
            put_labelled(writing, "name", ipc_error_name((enum ipc_error_code)code), errors[code]);
}

static void write_requests(struct writing *writing)
{
    put_results(writing, writing->daemon->succeeded, writing->daemon->failed);
}

static void write_errors(struct writing *writing) { put_errors(writing, writing->daemon->errors); }
static void write_accepted(struct writing *writing) { put_value(writing, writing->daemon->accepted); }
static void write_retries(struct writing *writing) { put_value(writing, writing->daemon->retries); }
static void write_open(struct writing *writing) { put_value(writing, writing->daemon->in_flight); }
static void write_queued(struct writing *writing) { put_value(writing, daemon_queued(writing->daemon)); }
static void write_sessions(struct writing *writing) { put_value(writing, writing->daemon->session_count); }

static void write_jars(struct writing *writing)
{
    uint64_t count = 0;
    for (const struct principal *user = writing->daemon->principals.first; user; user = user->next)
        count += jars_count(&user->jars);
    put_value(writing, count);
}

static void write_jar_bytes(struct writing *writing)
{
    uint64_t bytes = 0;
    for (const struct principal *user = writing->daemon->principals.first; user; user = user->next)
        bytes += user->jars.bytes;
    put_value(writing, bytes);
}

/* ---- one user's own ---- */

static void write_my_requests(struct writing *writing)
{
    put_results(writing, writing->only->succeeded, writing->only->failed);
}

static void write_my_errors(struct writing *writing) { put_errors(writing, writing->only->errors); }
static void write_my_accepted(struct writing *writing) { put_value(writing, writing->only->accepted); }
static void write_my_open(struct writing *writing) { put_value(writing, writing->only->in_flight); }
static void write_my_sessions(struct writing *writing) { put_value(writing, writing->only->sessions); }
static void write_my_jars(struct writing *writing) { put_value(writing, jars_count(&writing->only->jars)); }
static void write_my_jar_bytes(struct writing *writing) { put_value(writing, writing->only->jars.bytes); }

/* ---- users ---- */

static void visit_users(struct writing *writing, void (*visit)(struct writing *writing, const struct principal *user))
{
    for (const struct principal *user = writing->daemon->principals.first; user; user = user->next)
        visit(writing, user);
}

static void put_user(struct writing *writing, const struct principal *user, uint64_t value)
{
    put(writing, "%s{uid=\"%llu\"} %llu\n", writing->name, (unsigned long long)user->user,
        (unsigned long long)value);
}

static void put_user_accepted(struct writing *writing, const struct principal *user)
{
    put_user(writing, user, user->accepted);
}

static void put_user_open(struct writing *writing, const struct principal *user)
{
    put_user(writing, user, user->in_flight);
}

static void put_user_sessions(struct writing *writing, const struct principal *user)
{
    put_user(writing, user, user->sessions);
}

static void write_user_accepted(struct writing *writing) { visit_users(writing, put_user_accepted); }
static void write_user_open(struct writing *writing) { visit_users(writing, put_user_open); }
static void write_user_sessions(struct writing *writing) { visit_users(writing, put_user_sessions); }

/* ---- the processes ---- */

static void write_resident(struct writing *writing)
{
    size_t bytes = 0;
    uv_resident_set_memory(&bytes);
    put_value(writing, bytes);
}

static void write_restarts(struct writing *writing)
{
    for (int reason = 0; reason < CREW_REASONS; reason++)
        put_labelled(writing, "reason", crew_reason_name((enum crew_reason)reason),
                     writing->daemon->crew.restarts[reason]);
}

/* ---- each worker's ---- */

static void visit_workers(struct writing *writing, void (*visit)(struct supervisor *supervisor, void *context))
{
    crew_visit(&writing->daemon->crew, visit, writing);
}

static void put_worker(struct writing *writing, const struct supervisor *supervisor, uint64_t value)
{
    put(writing, "%s{worker=\"%u\",pid=\"%u\"} %llu\n", writing->name, supervisor->number, supervisor->pid,
        (unsigned long long)value);
}

static void put_up(struct supervisor *supervisor, void *context)
{
    put_worker(context, supervisor, supervisor->state == SUPERVISOR_READY);
}

static void put_in_flight(struct supervisor *supervisor, void *context)
{
    put_worker(context, supervisor, HASH_CNT(worker_handle, supervisor->requests));
}

static void put_served(struct supervisor *supervisor, void *context)
{
    put_worker(context, supervisor, supervisor->served);
}

static void put_rss(struct supervisor *supervisor, void *context)
{
    put_worker(context, supervisor, supervisor->beat.rss_bytes);
}

static void put_descriptors(struct supervisor *supervisor, void *context)
{
    put_worker(context, supervisor, supervisor->beat.open_fds);
}

static void put_connections(struct supervisor *supervisor, void *context)
{
    put_worker(context, supervisor, supervisor->beat.connections);
}

static void put_close_wait(struct supervisor *supervisor, void *context)
{
    put_worker(context, supervisor, supervisor->beat.close_wait);
}

/* A worker and its successor have the same number, and no series may come twice: hence the pid. */
static void put_handshakes_of(struct writing *writing, const struct supervisor *supervisor, const char *result,
                              uint64_t value)
{
    put(writing, "%s{worker=\"%u\",pid=\"%u\",result=\"%s\"} %llu\n", writing->name, supervisor->number,
        supervisor->pid, result, (unsigned long long)value);
}

static void put_handshakes(struct supervisor *supervisor, void *context)
{
    const struct health *health = &supervisor->health;
    put_handshakes_of(context, supervisor, "ok", health->handshakes);
    for (int reason = 0; reason < HEALTH_REASONS; reason++)
        put_handshakes_of(context, supervisor, health_reason_name((enum health_reason)reason),
                          health->failures[reason]);
}

static void write_up(struct writing *writing) { visit_workers(writing, put_up); }
static void write_in_flight(struct writing *writing) { visit_workers(writing, put_in_flight); }
static void write_served(struct writing *writing) { visit_workers(writing, put_served); }
static void write_rss(struct writing *writing) { visit_workers(writing, put_rss); }
static void write_descriptors(struct writing *writing) { visit_workers(writing, put_descriptors); }
static void write_connections(struct writing *writing) { visit_workers(writing, put_connections); }
static void write_close_wait(struct writing *writing) { visit_workers(writing, put_close_wait); }
static void write_handshakes(struct writing *writing) { visit_workers(writing, put_handshakes); }

/* ---- origins and proxies ---- */

static void visit_origins(struct writing *writing, void (*visit)(struct writing *writing, const struct origin *origin))
{
    unsigned shown = 0;
    for (const struct origin *origin = writing->daemon->origins.by_key; origin && shown < ORIGINS_SHOWN;
         origin = origin->handle.next, shown++)
        visit(writing, origin);
}

static void put_origin_attempts(struct writing *writing, const struct origin *origin)
{
    put(writing, "%s{origin=\"%s\",result=\"ok\"} %llu\n", writing->name, origin->key,
        (unsigned long long)(origin->requests - origin->failed));
    put(writing, "%s{origin=\"%s\",result=\"error\"} %llu\n", writing->name, origin->key,
        (unsigned long long)origin->failed);
}

static void put_origin_active(struct writing *writing, const struct origin *origin)
{
    put_labelled(writing, "origin", origin->key, origin->active);
}

static void put_origin_breaker(struct writing *writing, const struct origin *origin)
{
    put_labelled(writing, "origin", origin->key, origin->breaker != ORIGIN_CLOSED);
}

static void put_origin_tls(struct writing *writing, const struct origin *origin)
{
    for (int reason = 0; reason < HEALTH_REASONS; reason++)
        if (origin->health.failures[reason] > 0)
            put(writing, "%s{origin=\"%s\",reason=\"%s\"} %llu\n", writing->name, origin->key,
                health_reason_name((enum health_reason)reason),
                (unsigned long long)origin->health.failures[reason]);
}

static void write_origin_attempts(struct writing *writing) { visit_origins(writing, put_origin_attempts); }
static void write_origin_active(struct writing *writing) { visit_origins(writing, put_origin_active); }
static void write_origin_breaker(struct writing *writing) { visit_origins(writing, put_origin_breaker); }
static void write_origin_tls(struct writing *writing) { visit_origins(writing, put_origin_tls); }

static void write_proxy_tls(struct writing *writing)
{
    unsigned shown = 0;
    for (const struct proxy *proxy = writing->daemon->proxies.by_label; proxy && shown < PROXIES_SHOWN;
         proxy = proxy->handle.next, shown++) {
        put(writing, "%s{proxy=\"%s\",result=\"ok\"} %llu\n", writing->name, proxy->label,
            (unsigned long long)proxy->health.handshakes);
        for (int reason = 0; reason < HEALTH_REASONS; reason++)
            put(writing, "%s{proxy=\"%s\",result=\"%s\"} %llu\n", writing->name, proxy->label,
                health_reason_name((enum health_reason)reason),
                (unsigned long long)proxy->health.failures[reason]);
    }
}

static void visit_pooled(struct writing *writing, void (*visit)(struct writing *writing, const char *pool,
                                                                const struct pooled_proxy *proxy))
{
    const struct proxypools *pools = &writing->daemon->proxypools;
    for (size_t i = 0; i < pools->count; i++)
        for (size_t k = 0; k < pools->pools[i].count; k++)
            visit(writing, pools->pools[i].name, pools->pools[i].proxies[k]);
}

/* A pool may name one proxy with several credentials, which are no label: hence the place in the pool. */
static size_t place_of(const struct writing *writing, const char *pool, const struct pooled_proxy *proxy)
{
    const struct proxypool *found = proxypools_find(&writing->daemon->proxypools, ipc_text(pool));
    size_t place = 0;
    while (found && place < found->count && found->proxies[place] != proxy)
        place++;
    return place + 1;
}

static void put_pooled(struct writing *writing, const char *pool, const struct pooled_proxy *proxy,
                       const char *more, uint64_t value)
{
    put(writing, "%s{pool=\"%s\",place=\"%zu\",proxy=\"%s\"%s} %llu\n", writing->name, pool,
        place_of(writing, pool, proxy), proxy->label, more, (unsigned long long)value);
}

static void put_pooled_up(struct writing *writing, const char *pool, const struct pooled_proxy *proxy)
{
    put_pooled(writing, pool, proxy, "", !pooled_proxy_rests(proxy, uv_now(&writing->daemon->loop)));
}

static void put_pooled_attempts(struct writing *writing, const char *pool, const struct pooled_proxy *proxy)
{
    put_pooled(writing, pool, proxy, ",result=\"ok\"", proxy->attempts - proxy->failed);
    put_pooled(writing, pool, proxy, ",result=\"error\"", proxy->failed);
}

static void put_pooled_ejections(struct writing *writing, const char *pool, const struct pooled_proxy *proxy)
{
    put_pooled(writing, pool, proxy, "", proxy->ejections);
}

static void write_pooled_up(struct writing *writing) { visit_pooled(writing, put_pooled_up); }
static void write_pooled_attempts(struct writing *writing) { visit_pooled(writing, put_pooled_attempts); }
static void write_pooled_ejections(struct writing *writing) { visit_pooled(writing, put_pooled_ejections); }

/* The last one, so that it knows all. */
static void write_dropped(struct writing *writing) { put_value(writing, writing->dropped); }

/* THE table of metrics. A user who is no admin sees those with a second writer, its own. */
static const struct family {
    const char *name, *type, *help;
    void (*write)(struct writing *writing), (*write_own)(struct writing *writing);
} families[] = {
    { "fetchd_requests_accepted_total", "counter", "FETCH messages taken from clients.", write_accepted, write_my_accepted },
    { "fetchd_requests_total", "counter", "Requests answered with DONE, by result.", write_requests, write_my_requests },
    { "fetchd_errors_total", "counter", "Requests that failed, by the name of the error.", write_errors, write_my_errors },
    { "fetchd_retries_total", "counter", "Attempts after the first, for passing failures.", write_retries, NULL },
    { "fetchd_requests_open", "gauge", "Requests whose client has no DONE yet.", write_open, write_my_open },
    { "fetchd_requests_queued", "gauge", "Of them, those that wait for a worker.", write_queued, NULL },
    { "fetchd_sessions", "gauge", "Client connections.", write_sessions, write_my_sessions },
    { "fetchd_cookie_sessions", "gauge", "Sessions: names under which requests share cookies.", write_jars, write_my_jars },
    { "fetchd_cookie_session_bytes", "gauge", "Bytes of their cookies and HSTS.", write_jar_bytes, write_my_jar_bytes },
    { "fetchd_user_requests_accepted_total", "counter", "FETCH messages taken from a user.", write_user_accepted, NULL },
    { "fetchd_user_requests_open", "gauge", "Requests of a user that have no DONE yet.", write_user_open, NULL },
    { "fetchd_user_sessions", "gauge", "Client connections of a user.", write_user_sessions, NULL },
    { "fetchd_resident_bytes", "gauge", "Resident memory of the supervisor.", write_resident, NULL },
    { "fetchd_worker_restarts_total", "counter", "Workers started in another's place, by reason.", write_restarts, NULL },
    { "fetchd_worker_up", "gauge", "1 for a worker that takes requests.", write_up, NULL },
    { "fetchd_worker_requests", "gauge", "Requests a worker has.", write_in_flight, NULL },
    { "fetchd_worker_served_total", "counter", "Requests a worker has ended.", write_served, NULL },
    { "fetchd_worker_resident_bytes", "gauge", "Resident memory of a worker.", write_rss, NULL },
    { "fetchd_worker_open_descriptors", "gauge", "Open descriptors of a worker.", write_descriptors, NULL },
    { "fetchd_worker_connections", "gauge", "Outside connections of a worker.", write_connections, NULL },
    { "fetchd_worker_close_wait_sockets", "gauge", "Sockets whose peer has closed and the worker not.", write_close_wait, NULL },
    { "fetchd_tls_handshakes_total", "counter", "TLS handshakes of a worker, by result.", write_handshakes, NULL },
    { "fetchd_origin_attempts_total", "counter", "Attempts at an origin, by result.", write_origin_attempts, NULL },
    { "fetchd_origin_requests", "gauge", "Requests under way to an origin.", write_origin_active, NULL },
    { "fetchd_origin_breaker_open", "gauge", "1 while requests to an origin pause.", write_origin_breaker, NULL },
    { "fetchd_origin_tls_failures_total", "counter", "Failed TLS handshakes, by origin and reason.", write_origin_tls, NULL },
    { "fetchd_proxy_tls_handshakes_total", "counter", "TLS handshakes through a proxy, by result.", write_proxy_tls, NULL },
    { "fetchd_proxy_pool_up", "gauge", "1 for a proxy of a pool that is used, 0 for one that rests.",
      write_pooled_up, NULL },
    { "fetchd_proxy_pool_attempts_total", "counter",
      "Attempts through a proxy of a pool; error: by its fault.", write_pooled_attempts, NULL },
    { "fetchd_proxy_pool_ejections_total", "counter", "How often a proxy of a pool was sent to rest.",
      write_pooled_ejections, NULL },
    { "fetchd_metrics_dropped", "gauge", "Samples left out here, because there were too many.", write_dropped, NULL },
};

int metrics_write(struct daemon *daemon, const struct principal *only, struct ipc_buffer *out)
{
    const size_t count = sizeof families / sizeof families[0];
    struct writing writing = { .daemon = daemon, .only = only, .out = out, .start = ipc_buffer_length(out) };
    for (size_t i = 0; i < count; i++) {
        const struct family *family = &families[i];
        void (*write)(struct writing *writing) = only ? family->write_own : family->write;
        if (!write)
            continue;
        writing.name = family->name;
        writing.room = METRICS_BYTES;
        put(&writing, "# HELP %s %s\n# TYPE %s %s\n", writing.name, family->help, writing.name, family->type);
        writing.room = i + 1 < count ? METRICS_BYTES - RESERVE_BYTES : METRICS_BYTES;
        write(&writing);
    }
    return writing.result;
}
