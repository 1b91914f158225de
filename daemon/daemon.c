/* The daemon: start, reload, drain, stop, in reading order. */
#include "daemon.h"

#include "confine.h"
#include "descriptors.h"
#include "jar_control.h"
#include "log.h"
#include "paths.h"
#include "request.h"
#include "reserve.h"
#include "service.h"
#include "session.h"
#include "sleeper.h"
#include "status.h"
#include "suffix.h"
#include "supervisor.h"

#include "ipc/credit.h"
#include "ipc/endpoint.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#define TICK_MS 1000
#define ORIGIN_MEMORY_MS ((uint64_t)10 * 60 * 1000)   /* how long an idle origin is remembered */
#define OVERSLEPT_MS 1000
#define HEALTH_TICKS 10
#define LINGER_MS 2000                   /* past the drain deadline, for the last bytes */
#define LINGER_STEP_MS 20

/* ---- workers ---- */

static struct ipc_texts borrow_list(const struct conf_list *list, struct ipc_text *items)
{
    for (size_t i = 0; i < list->count; i++)
        items[i] = ipc_text(list->items[i]);
    return (struct ipc_texts){ items, list->count };
}

static enum log_level log_level_of(const struct conf *conf)
{
    static const enum log_level levels[] = {
        [CONF_LOG_ERROR] = LOG_LEVEL_ERROR, [CONF_LOG_WARNING] = LOG_LEVEL_WARNING,
        [CONF_LOG_NOTICE] = LOG_LEVEL_NOTICE, [CONF_LOG_INFO] = LOG_LEVEL_INFO, [CONF_LOG_DEBUG] = LOG_LEVEL_DEBUG,
    };
    return levels[conf->log_level];
}

static const char *const tls_versions[] = { "1.0", "1.1", "1.2", "1.3" };   /* as in settings.def */

/* A worker's slice of the configuration: values, never a path. */
void daemon_send_settings(struct daemon *daemon, struct supervisor *supervisor)
{
    const struct conf *conf = daemon->conf;
    struct ipc_text allow[256], deny[256];
    struct ipc_settings settings;
    IPC_INIT(SETTINGS, &settings);
    settings.build = IPC_TEXT(FETCHD_VERSION);
    settings.worker = supervisor->number;
    settings.log_level = (uint64_t)log_level_of(conf);
    settings.ca_pem = (struct ipc_bytes){ daemon->authorities.pem, daemon->authorities.length };
    settings.system_roots = daemon->authorities.in_store;
    settings.egress_allow = borrow_list(&conf->egress_allow, allow);
    settings.egress_deny = borrow_list(&conf->egress_deny, deny);
    settings.connect_timeout_ms = conf->connect_timeout_ms;
    settings.tls_timeout_ms = conf->tls_timeout_ms;
    settings.headers_timeout_ms = conf->headers_timeout_ms;
    settings.idle_timeout_ms = conf->idle_timeout_ms;
    settings.total_timeout_ms = conf->total_timeout_ms;
    settings.max_body_bytes = conf->max_body_bytes;
    settings.max_header_bytes = conf->max_header_bytes;
    settings.connections = conf->worker_connections;
    settings.core = conf->worker_core;
    settings.unconfined = daemon->arguments.no_sandbox;
    if (daemon->worker_account.changes) {
        settings.user = daemon->worker_account.user;
        settings.group = daemon->worker_account.group;
    }
    settings.connections_per_multi = conf->connections_per_multi;
    settings.partitions = conf->partitions;
    settings.partition_idle_ms = conf->partition_idle_ms;
    settings.resolver_threads = conf->resolver_threads;
    settings.dns_lifetime_ms = conf->dns_lifetime_ms;
    settings.doh_url = ipc_text(conf->doh_url);
    settings.tls_min = ipc_text(tls_versions[conf->tls_min_version]);
    settings.user_agent = IPC_TEXT("fetchd/" FETCHD_VERSION);
    supervisor_send(supervisor, IPC_SETTINGS, 0, &settings);
}

/* ---- the queue ---- */

static void assign(struct daemon *daemon, struct request *request, struct supervisor *supervisor)
{
    struct request_detail detail = { .supervisor = supervisor };
    daemon_dequeue(daemon, request, true);
    request_event(request, REQUEST_ASSIGN, &detail);
}

/* The first in line at its origin is asked for; others queue up behind the line. */
static void admit(struct daemon *daemon, struct request *request, struct supervisor *supervisor)
{
    struct origin *origin = request->origin;
    bool from_line = request->unparked;
    uint64_t until_ms = UINT64_MAX;
    enum origin_verdict verdict = ORIGIN_WAIT;
    request->unparked = false;
    if (from_line || line_is_empty(&origin->line))
        verdict = origin_admit(&daemon->origins, origin, uv_now(&daemon->loop), &until_ms);
    if (verdict == ORIGIN_GO) {
        assign(daemon, request, supervisor);
    } else {
        daemon_dequeue(daemon, request, false);
        if (verdict == ORIGIN_WAIT)
            request_park(request, from_line, until_ms);
        else
            request_event(request, REQUEST_REFUSE, NULL);
    }
    /* The line moves: the next one's turn to ask. */
    if (verdict != ORIGIN_WAIT)
        request_move_line(origin);
}

static void run_suspects(struct daemon *daemon)
{
    while (daemon->suspects) {
        struct supervisor *supervisor = crew_choose(&daemon->crew, daemon->suspects);
        if (!supervisor)
            return;
        assign(daemon, daemon->suspects, supervisor);
    }
}

static void run_solo(struct daemon *daemon)
{
    struct request *request;
    while ((request = line_first(&daemon->solo))) {
        struct supervisor *supervisor = crew_choose(&daemon->crew, request);
        if (!supervisor)
            return;
        admit(daemon, request, supervisor);
    }
}

static void run_group(struct daemon *daemon, struct queue *queue)
{
    struct request *request;
    while ((request = queue_next(queue))) {
        struct supervisor *supervisor = crew_choose(&daemon->crew, request);
        if (!supervisor)
            return;
        admit(daemon, request, supervisor);
    }
}

void daemon_run_queue(struct daemon *daemon)
{
    run_suspects(daemon);
    run_solo(daemon);
    for (unsigned i = 0; i < daemon->crew.group_count; i++)
        run_group(daemon, &daemon->queues[i]);
}

unsigned daemon_queued(const struct daemon *daemon)
{
    unsigned length = 0;
    for (unsigned i = 0; i < daemon->crew.group_count; i++)
        length += daemon->queues[i].length;
    return length + daemon->solo.queue.length;
}

static void on_uv_queue_timer(uv_timer_t *timer)
{
    daemon_run_queue(timer->data);
}

void daemon_wake_queue(struct daemon *daemon)
{
    if (daemon_queued(daemon) > 0 || daemon->suspects)
        uv_timer_start(&daemon->queue_timer, on_uv_queue_timer, 0, 0);
}

void daemon_enqueue(struct daemon *daemon, struct request *request, bool in_front)
{
    if (request->deaths >= REQUEST_SUSPECT_DEATHS) {
        request->suspect_queued = true;
        DL_APPEND(daemon->suspects, request);
    } else if (request->solo) {
        request->solo_queued = true;
        line_push(&daemon->solo, request, session_principal(request->session), request->session->number, in_front);
    } else {
        queue_push(&daemon->queues[request->group], &request->session->flow, request, in_front);
    }
    daemon_run_queue(daemon);
}

void daemon_dequeue(struct daemon *daemon, struct request *request, bool served)
{
    if (request->solo_queued)
        line_remove(&daemon->solo, request, served);
    else if (request->flow)
        queue_remove(&daemon->queues[request->group], request, served);
    request->solo_queued = false;
    if (request->suspect_queued)
        DL_DELETE(daemon->suspects, request);
    request->suspect_queued = false;
}

/* ---- a request's patience ---- */

/* A suspect had a worker before, and is not told that it found none. */
static bool has_expired(const struct daemon *daemon, const struct request *request)
{
    uint64_t now_ms = uv_now(&daemon->loop);
    bool waits_for_any = request->state == REQUEST_QUEUED && !request->suspect_queued;
    if (request->state != REQUEST_QUEUED && request->state != REQUEST_WAITING)
        return false;
    return (request->expires_ms && now_ms >= request->expires_ms)
        || (waits_for_any && now_ms - request->queued_ms >= daemon->conf->queue_timeout_ms);
}

/* Only those without a worker: the others' time is the worker's to watch. */
static void expire_waiting(struct daemon *daemon)
{
    struct session *session;
    DL_FOREACH(daemon->sessions, session) {
        struct request *request, *next;
        for (request = session->requests; request; request = next) {
            next = request->client_handle.next;
            if (has_expired(daemon, request))
                request_event(request, REQUEST_EXPIRE, NULL);
        }
    }
}

/* ---- credit of what is held ---- */

int64_t daemon_frame_cost(struct daemon *daemon, enum ipc_speaker speaker, const struct ipc_frame *frame)
{
    struct ipc_bytes payload = { NULL, 0 };
    union ipc_any message;
    if (frame->type == IPC_DATA)
        ipc_unpack_data(&daemon->kept_decoder, frame, &payload);
    else if (frame->type != IPC_MESSAGE)
        return 0;
    else if (ipc_unpack(&daemon->kept_decoder, speaker, frame, &message) == 0)
        payload = message.message.data;
    return ipc_credit_cost(payload.length);
}

/* ---- time ---- */

bool daemon_overslept(const struct daemon *daemon)
{
    return daemon->overslept;
}

/* Only what has changed since. */
static void tell_manager(struct daemon *daemon, void (*tell)(const char *status))
{
    char text[sizeof daemon->told];
    status_line(daemon, text, sizeof text);
    if (tell == service_ready || strcmp(text, daemon->told) != 0)
        tell(text);
    snprintf(daemon->told, sizeof daemon->told, "%s", text);
}

/* A CA file that was renewed holds without a reload; workers take it as they take new settings. */
static void watch_ca(struct daemon *daemon)
{
    char reason[CONF_ERROR_BYTES];
    if (daemon->state != DAEMON_RUNNING || !authorities_changed(&daemon->authorities, daemon->conf->ca_file))
        return;
    if (authorities_read(&daemon->authorities, daemon->conf->ca_file, reason, sizeof reason) < 0) {
        log_warning("daemon: %s; keeping what was read before", reason);
        return;
    }
    log_notice("daemon: [tls] ca_file has changed, renewing the workers one by one");
    crew_roll(&daemon->crew);
}

static void on_uv_tick(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    uint64_t now_ms = uv_now(&daemon->loop);
    daemon->overslept = now_ms > daemon->tick_due_ms + OVERSLEPT_MS;
    daemon->tick_due_ms = now_ms + TICK_MS;
    service_alive();
    tell_manager(daemon, service_status);
    reserve_refill();
    expire_waiting(daemon);
    jar_control_sweep(daemon);
    if (now_ms > ORIGIN_MEMORY_MS)
        origins_expire(&daemon->origins, now_ms - ORIGIN_MEMORY_MS);
    watch_ca(daemon);
    crew_check(&daemon->crew);
    if (++daemon->ticks % HEALTH_TICKS == 0)
        crew_judge(&daemon->crew);
}

/* ---- jars ---- */

struct jar_rules daemon_jar_rules(const struct daemon *daemon)
{
    const struct conf *conf = daemon->conf;
    return (struct jar_rules){
        .suffixes = daemon->suffixes, .hsts = { conf->session_hsts_hosts, conf->session_bytes }, .now_s = (uint64_t)time(NULL),
        .limits = { conf->session_cookies, conf->session_domain_cookies, conf->session_bytes },
    };
}

static int open_store(struct daemon *daemon)
{
    char error[STORE_ERROR_BYTES], usual[PATHS_BYTES];
    const char *configured = daemon->conf->state_dir;
    const char *folder = *configured || !paths_state(usual) ? configured : usual;
    struct jar_rules rules = daemon_jar_rules(daemon);
    if (store_open(&daemon->store, &daemon->loop, folder, error) < 0) {
        log_error("daemon: %s", error);
        return -1;
    }
    store_load(&daemon->store, &daemon->principals, &daemon->kept_decoder, &rules);
    return 0;
}

/* ---- sessions ---- */

static void on_accept(void *owner, int fd)
{
    struct daemon *daemon = owner;
    struct session *session = session_create(daemon, fd, ++daemon->last_session);
    if (session)
        DL_APPEND(daemon->sessions, session);
}

static void close_sessions(struct daemon *daemon)
{
    struct session *session, *next;
    DL_FOREACH_SAFE(daemon->sessions, session, next)
        session_close(session);
}

void daemon_session_closed(struct daemon *daemon, struct session *session)
{
    DL_DELETE(daemon->sessions, session);
    daemon->session_count--;
}

/* ---- stop ---- */

static void close_signals(struct daemon *daemon)
{
    for (size_t i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&daemon->signals[i], NULL);
    uv_close((uv_handle_t *)&daemon->tick, NULL);
    uv_close((uv_handle_t *)&daemon->drain_timer, NULL);
    uv_close((uv_handle_t *)&daemon->queue_timer, NULL);
}

/* The last worker is gone: nothing keeps the loop alive any more. */
void daemon_crew_is_down(struct daemon *daemon)
{
    for (unsigned i = 0; i < daemon->crew.size; i++)
        supervisor_destroy(daemon->crew.seats[i]);
    close_sessions(daemon);
    close_signals(daemon);
    exporter_close(&daemon->exporter);
    service_close();
    ipc_hub_close(&daemon->hub);
}

static void stop(struct daemon *daemon)
{
    daemon->state = DAEMON_STOPPING;
    log_info("daemon: all requests are answered, stopping");
    close_sessions(daemon);
    uv_timer_stop(&daemon->drain_timer);
    crew_retire(&daemon->crew, false);
}

static bool answers_wait(const struct daemon *daemon)
{
    const struct session *session;
    DL_FOREACH(daemon->sessions, session)
        if (ipc_channel_unsent(&session->channel) > 0 || ipc_buffer_length(&session->held) > 0)
            return true;
    return false;
}

/* Every request has its DONE; slow readers get a while to take what was sent to them. */
static void on_uv_drained(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    if (daemon->state != DAEMON_DRAINING || daemon->in_flight > 0)
        return;
    if (answers_wait(daemon) && uv_now(&daemon->loop) < daemon->linger_until_ms)
        uv_timer_start(timer, on_uv_drained, LINGER_STEP_MS, 0);
    else
        stop(daemon);
}

/* The last answer may be in the midst of being sent: stopping waits for a turn of its own. */
void daemon_request_left(struct daemon *daemon)
{
    daemon->in_flight--;
    if (daemon->state == DAEMON_DRAINING && daemon->in_flight == 0)
        uv_timer_start(&daemon->drain_timer, on_uv_drained, 0, 0);
}

/* ---- drain ---- */

static void shut_requests(struct daemon *daemon)
{
    struct session *session;
    DL_FOREACH(daemon->sessions, session)
        while (session->requests)
            request_event(session->requests, REQUEST_SHUTDOWN, NULL);
}

static void on_uv_drain_deadline(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    log_warning("daemon: %u requests are still open at the drain deadline, ending them", daemon->in_flight);
    shut_requests(daemon);
}

static void say_goaway(struct daemon *daemon)
{
    struct session *session;
    DL_FOREACH(daemon->sessions, session)
        if (session->greeted)
            session_say_goaway(session);
}

static void start_drain(struct daemon *daemon)
{
    daemon->state = DAEMON_DRAINING;
    daemon->linger_until_ms = uv_now(&daemon->loop) + daemon->conf->drain_timeout_ms + LINGER_MS;
    log_info("daemon: draining, %u requests open, for at most %llu ms", daemon->in_flight,
             (unsigned long long)daemon->conf->drain_timeout_ms);
    service_stopping();
    listener_close(&daemon->listener);
    say_goaway(daemon);
    if (daemon->in_flight == 0)
        uv_timer_start(&daemon->drain_timer, on_uv_drained, 0, 0);
    else
        uv_timer_start(&daemon->drain_timer, on_uv_drain_deadline, daemon->conf->drain_timeout_ms, 0);
}

void daemon_drain(struct daemon *daemon)
{
    if (daemon->state == DAEMON_RUNNING)
        start_drain(daemon);
    else if (daemon->state == DAEMON_DRAINING)
        shut_requests(daemon);
    else
        crew_retire(&daemon->crew, true);
}

static void on_uv_drain(uv_signal_t *handle, int signal)
{
    (void)signal;
    daemon_drain(handle->data);
}

static void on_manager_drain(void *daemon)
{
    daemon_drain(daemon);
}

/* ---- reload ---- */

static void configure_log(const struct conf *conf)
{
    log_configure(log_level_of(conf), conf->log_format == CONF_LOG_JSON);
    service_keep_log(conf->log_file, conf->log_file_bytes);
}

static void on_difference(const char *section, const char *key, void *context)
{
    (void)context;
    log_warning("daemon: [%s] %s needs a restart, keeping its old value", section, key);
}

static int read_ca(struct daemon *daemon, const struct conf *conf, char ret_error[CONF_ERROR_BYTES])
{
    return authorities_read(&daemon->authorities, conf->ca_file, ret_error, CONF_ERROR_BYTES);
}

/* Like the authorities, workers' user is looked up before anything is applied. */
static int choose_account(struct daemon *daemon, const struct conf *conf, char ret_error[CONF_ERROR_BYTES])
{
    struct account account;
    if (account_choose(conf->worker_user, &account, ret_error, CONF_ERROR_BYTES) < 0)
        return -1;
    if (account_is_root() && !account.changes)
        log_warning("daemon: workers run as root; name a user of their own, see [workers] user");
    else if (account.changes)
        log_info("daemon: workers run as user %s (%u)", account.name, (unsigned)account.user);
    daemon->worker_account = account;
    return 0;
}

/* What stands on the command line holds against the file, at a reload too. */
static int read_conf(const struct daemon *daemon, struct conf *conf, char ret_error[CONF_ERROR_BYTES])
{
    const struct daemon_arguments *arguments = &daemon->arguments;
    if (arguments->conf_file && conf_read(conf, arguments->conf_file, ret_error) < 0)
        return -1;
    if (arguments->listen && conf_set(conf, "daemon", "listen", arguments->listen, ret_error) < 0)
        return -1;
    return arguments->workers ? conf_set(conf, "workers", "count", arguments->workers, ret_error) : 0;
}

/* Who was let in by the old settings may be out by the new ones. */
static void judge_sessions(struct daemon *daemon)
{
    struct session *session;
    DL_FOREACH(daemon->sessions, session)
        session_judge(session);
}

static void apply_conf(struct daemon *daemon, struct conf *wanted)
{
    struct conf *old = daemon->conf;
    conf_compare(old, wanted, on_difference, NULL);
    daemon->conf = wanted;
    origins_configure(&daemon->origins, wanted);
    if (proxypools_configure(&daemon->proxypools, wanted) < 0)
        log_error("daemon: no memory for the proxy pools, keeping the old ones");
    configure_log(wanted);
    listener_permit(&daemon->listener, wanted);
    judge_sessions(daemon);
    conf_destroy(old);
    crew_roll(&daemon->crew);
}

int daemon_reload(struct daemon *daemon, char ret_error[CONF_ERROR_BYTES])
{
    struct conf *wanted = conf_create();
    service_reloading();
    int result = -1;
    if (!wanted)
        snprintf(ret_error, CONF_ERROR_BYTES, "not enough memory");
    else if (read_conf(daemon, wanted, ret_error) == 0 && choose_account(daemon, wanted, ret_error) == 0)
        result = read_ca(daemon, wanted, ret_error);
    if (result < 0) {
        snprintf(daemon->reload_error, sizeof daemon->reload_error, "%s", ret_error);
        log_error("daemon: reload refused, keeping the old settings: %s", ret_error);
        conf_destroy(wanted);
    } else {
        daemon->reload_error[0] = '\0';
        apply_conf(daemon, wanted);
        log_notice("daemon: reloaded, renewing the workers one by one");
    }
    tell_manager(daemon, service_ready);
    return result;
}

static void on_uv_reload(uv_signal_t *handle, int signal)
{
    char error[CONF_ERROR_BYTES];
    (void)signal;
    daemon_reload(handle->data, error);
}

static void on_manager_reload(void *daemon)
{
    char error[CONF_ERROR_BYTES];
    daemon_reload(daemon, error);
}

/* ---- start ---- */

/* A buffer that grew for a slow reader goes back to the system when it is emptied; by itself glibc
 * raises the size from which that holds with each one it frees. */
static void return_large_buffers(void)
{
#ifdef M_MMAP_THRESHOLD
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
#endif
}

static bool is_executable(const char *path)
{
    uv_fs_t request;
    int status = uv_fs_access(NULL, &request, path, X_OK, NULL);
    uv_fs_req_cleanup(&request);
    return status == 0;
}

static int find_worker(struct daemon *daemon)
{
    if (*daemon->conf->worker_program)
        snprintf(daemon->worker_program, sizeof daemon->worker_program, "%s", daemon->conf->worker_program);
    else
        for (unsigned i = 0; paths_worker(i, daemon->worker_program); i++)
            if (is_executable(daemon->worker_program))
                break;
    if (is_executable(daemon->worker_program))
        return 0;
    log_error("daemon: there is no worker program at %s, see [workers] program", daemon->worker_program);
    return -1;
}

static int open_listener(struct daemon *daemon)
{
    char address[4096], error[LISTENER_ERROR_BYTES];
    int inherited = service_inherited_socket(), result;
    if (inherited >= 0) {
        snprintf(address, sizeof address, "a socket from the service manager");
        result = listener_adopt(&daemon->listener, &daemon->loop, inherited, on_accept, daemon, error);
    } else {
        if (*daemon->conf->listen)
            snprintf(address, sizeof address, "%s", daemon->conf->listen);
        else if (ipc_endpoint_default(address, sizeof address) < 0)
            address[0] = '\0';
        result = listener_open(&daemon->listener, &daemon->loop, address, daemon->conf, on_accept, daemon, error);
    }
    if (result < 0)
        log_error("daemon: can't listen: %s", error);
    else
        log_info("daemon: fetchd %s listens on %s", FETCHD_VERSION, address);
    return result;
}

static int open_exporter(struct daemon *daemon)
{
    unsigned port = (unsigned)daemon->conf->metrics_port;
    int status = port ? exporter_open(&daemon->exporter, daemon, port) : 0;
    if (status < 0)
        log_error("daemon: [metrics] port = %u: %s", port, uv_strerror(status));
    return status;
}

/* Once all is open that only a start opens. */
static int confine(const struct daemon *daemon)
{
    char text[200];
    if (daemon->arguments.no_sandbox) {
        log_error("daemon: --no-sandbox: neither the daemon nor its workers are confined; for debugging only");
        return 0;
    }
    int result = confine_daemon(text, sizeof text);
    if (result < 0)
        log_error("daemon: can't be confined: %s; --no-sandbox does without", text);
    else
        log_info("daemon: sandbox: %s", text);
    return result;
}

static void check_descriptors(const struct daemon *daemon)
{
    uint64_t room = descriptors_for_clients(daemon->crew.size);
    if (daemon->conf->sessions > room)
        log_warning("daemon: [daemon] sessions = %llu: this process has descriptors for %llu clients, more are refused",
                    (unsigned long long)daemon->conf->sessions, (unsigned long long)room);
}

static int start_crew(struct daemon *daemon)
{
    unsigned size = daemon->conf->workers ? (unsigned)daemon->conf->workers : uv_available_parallelism();
    if (crew_start(&daemon->crew, daemon, size) == 0) {
        check_descriptors(daemon);
        return 0;
    }
    log_error("daemon: no memory for %u workers and those of classes, or more than %d classes have some", size,
              CREW_GROUPS - 1);
    return -1;
}

static const struct service_calls service_calls = { on_manager_drain, on_manager_reload };

static int open_service(struct daemon *daemon)
{
    int status = service_open(&daemon->loop, &service_calls, daemon);
    if (status < 0)
        log_error("daemon: can't hear the service manager: %s", uv_strerror(status));
    return status;
}

static void start_signals(struct daemon *daemon)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        uv_signal_init(&daemon->loop, &daemon->signals[i]);
        daemon->signals[i].data = daemon;
        uv_signal_start(&daemon->signals[i], signal_meanings[i].reloads ? on_uv_reload : on_uv_drain,
                        signal_meanings[i].number);
    }
}

static void start_timers(struct daemon *daemon)
{
    uv_timer_init(&daemon->loop, &daemon->tick);
    uv_timer_init(&daemon->loop, &daemon->drain_timer);
    uv_timer_init(&daemon->loop, &daemon->queue_timer);
    daemon->tick.data = daemon->drain_timer.data = daemon->queue_timer.data = daemon;
    daemon->tick_due_ms = uv_now(&daemon->loop) + TICK_MS;
    uv_timer_start(&daemon->tick, on_uv_tick, TICK_MS, TICK_MS);
    start_signals(daemon);
}

/* xorshift32 (Marsaglia 2003). */
uint32_t daemon_random(struct daemon *daemon)
{
    uint32_t x = daemon->random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return daemon->random = x;
}

static void name_instance(struct daemon *daemon)
{
    uint8_t random[16] = { 0 };
    uv_random(NULL, NULL, random, sizeof random, 0, NULL);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(daemon->instance + 2 * i, 3, "%02x", random[i]);
    memcpy(&daemon->random, random, sizeof daemon->random);
    daemon->random |= 1;   /* never 0, where it would stay */
}

static void finish(struct daemon *daemon)
{
    listener_finish(&daemon->listener);
    crew_finish(&daemon->crew);
    jar_control_save_all(daemon);
    store_close(&daemon->store);
    principals_finish(&daemon->principals);
    suffixes_close(daemon->suffixes);
    proxies_finish(&daemon->proxies);
    proxypools_finish(&daemon->proxypools);
    origins_expire(&daemon->origins, UINT64_MAX);
    ipc_decoder_finish(&daemon->decoder);
    ipc_decoder_finish(&daemon->kept_decoder);
    ipc_hub_finish(&daemon->hub);
    authorities_finish(&daemon->authorities);
    conf_destroy(daemon->conf);
    reserve_finish();
}

/* What needs no handle in the loop yet, so that a failure only has to return. */
static int prepare(struct daemon *daemon)
{
    char error[CONF_ERROR_BYTES];
    descriptors_raise();
    return_large_buffers();
    reserve_refill();
    name_instance(daemon);
    if (ipc_decoder_init(&daemon->decoder) < 0 || ipc_decoder_init(&daemon->kept_decoder) < 0
        || proxypools_configure(&daemon->proxypools, daemon->conf) < 0) {
        log_error("daemon: not enough memory to start");
        return -1;
    }
    if (find_worker(daemon) < 0)
        return -1;
    if (!(daemon->suffixes = suffixes_open())) {
        log_error("daemon: libpsl has no public suffix list; install the package publicsuffix");
        return -1;
    }
    if (choose_account(daemon, daemon->conf, error) < 0 || read_ca(daemon, daemon->conf, error) < 0) {
        log_error("daemon: %s", error);
        return -1;
    }
    return 0;
}

static int open_loop(struct daemon *daemon)
{
    int status = uv_loop_init(&daemon->loop);
    if (status < 0)
        log_error("daemon: no event loop: %s", uv_strerror(status));
    return status;
}

static int open_hub(struct daemon *daemon)
{
    int status = ipc_hub_init(&daemon->hub, &daemon->loop);
    if (status < 0)
        log_error("daemon: no channels: %s", uv_strerror(status));
    return status;
}

static void on_uv_left(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* Of a start that failed midway: nobody else knows what is open. */
static void close_what_opened(struct daemon *daemon)
{
    listener_close(&daemon->listener);
    uv_walk(&daemon->loop, on_uv_left, NULL);
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
}

int daemon_run(struct conf *conf, const struct daemon_arguments *arguments)
{
    struct daemon *daemon = calloc(1, sizeof *daemon);
    if (!daemon) {
        log_error("daemon: not enough memory to start");
        conf_destroy(conf);
        return 1;
    }
    log_start();
    log_copy(service_log);
    /* Whatever our own parent left open must not reach a worker. */
    uv_disable_stdio_inheritance();
    signals_ignore();
    daemon->conf = conf;
    daemon->arguments = *arguments;
    daemon->listener.fd = daemon->listener.lock_fd = -1;
    origins_configure(&daemon->origins, conf);
    configure_log(conf);
    int exit_code = 1;
    if (prepare(daemon) == 0 && open_loop(daemon) == 0) {
        daemon->started_ms = uv_now(&daemon->loop);
        if (open_store(daemon) == 0 && open_listener(daemon) == 0 && open_hub(daemon) == 0) {
            start_timers(daemon);
            if (open_service(daemon) == 0 && open_exporter(daemon) == 0 && confine(daemon) == 0
                && start_crew(daemon) == 0) {
                tell_manager(daemon, service_ready);
                uv_run(&daemon->loop, UV_RUN_DEFAULT);
                log_info("daemon: stopped");
                exit_code = 0;
            }
        }
        if (exit_code != 0)
            close_what_opened(daemon);
        uv_loop_close(&daemon->loop);
    }
    finish(daemon);
    free(daemon);
    return exit_code;
}
