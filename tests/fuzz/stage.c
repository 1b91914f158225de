/* A daemon without processes, files and clocks of its own. */
#include "stage.h"

#include "daemon/account.h"
#include "daemon/log.h"
#include "daemon/request.h"
#include "daemon/session.h"
#include "daemon/spawn.h"
#include "daemon/suffix.h"
#include "daemon/supervisor.h"

#include "ipc/frame.h"
#include "ipc/pack.h"
#include "ipc/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#define BUFFER_BYTES ((size_t)64 * 1024 * 1024)
#define TURNS 200

struct stage stage;

/* ---- instead of log.c: every line is made, and looked through ---- */

bool __wrap_log_enabled(enum log_level level);
void __wrap_log_write(enum log_level level, const char *format, ...) __attribute__((format(gnu_printf, 2, 3)));

bool __wrap_log_enabled(enum log_level level)
{
    return level <= LOG_LEVEL_DEBUG;
}

/* By hand: libFuzzer learns from strstr() what to write, and a worker may write anything but this. */
static bool holds_secret(const char *line)
{
    static const char secret[] = STAGE_SECRET;
    for (; *line; line++) {
        size_t same = 0;
        while (secret[same] && line[same] == secret[same])
            same++;
        if (!secret[same])
            return true;
    }
    return false;
}

void __wrap_log_write(enum log_level level, const char *format, ...)
{
    char line[4096];
    va_list arguments;
    (void)level;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    HOLDS(!stage.secretive || !holds_secret(line));
    HOLDS(!strstr(format, "can't happen"));
}

/* ---- instead of spawn_unix.c ---- */

static void open_end(struct end *end, int fd, enum ipc_speaker speaker)
{
    *end = (struct end){ .fd = fd, .speaker = speaker };
    ipc_buffer_init(&end->in, BUFFER_BYTES);
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

/* A process handle that libuv knows and has nothing to do with: refused for its third descriptor, which is
 * none, after it was set up. */
static void init_process(uv_loop_t *loop, struct child *child)
{
    static uint32_t pid = 1 << 24;   /* of nobody */
    uv_stdio_container_t none = { .flags = UV_INHERIT_FD, .data.fd = -1 };
    uv_process_options_t options = { .file = "/", .stdio = &none, .stdio_count = 1 };
    HOLDS(child_spawn(child, loop, &options) == UV_EINVAL);
    HOLDS(child->open);
    child->pid = ++pid;
}

int spawn_worker(uv_loop_t *loop, struct child *child, const struct spawn_order *order,
                 struct spawned *ret_spawned)
{
    int channel[2], log[2];
    (void)order;
    init_process(loop, child);
    if (stage.worker_count == STAGE_ENDS)
        return UV_EAGAIN;
    HOLDS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) == 0);
    HOLDS(pipe2(log, O_CLOEXEC | O_NONBLOCK) == 0);
    struct end *worker = &stage.workers[stage.worker_count++];
    open_end(worker, channel[1], IPC_WORKER);
    worker->child = child;
    worker->sockets[1] = log[1];
    *ret_spawned = (struct spawned){ channel[0], log[0] };
    return 0;
}

int __wrap_uv_process_kill(uv_process_t *process, int signal);
int __wrap_uv_process_kill(uv_process_t *process, int signal)
{
    for (unsigned i = 0; i < stage.worker_count; i++)
        if (stage.workers[i].child && &stage.workers[i].child->uv.process == process && signal != SIGCONT)
            stage.workers[i].killed_by = signal;
    return 0;
}

/* Told apart from the kill, as the kernel does. */
static bool bury_killed(void)
{
    bool any = false;
    for (unsigned i = 0; i < stage.worker_count; i++) {
        struct end *worker = &stage.workers[i];
        if (!worker->killed_by || !worker->child)
            continue;
        struct child *child = worker->child;
        end_hang_up(worker);
        close(worker->sockets[1]);
        worker->child = NULL;
        child->on_exit(child, 0, worker->killed_by);
        any = true;
    }
    return any;
}

/* ---- ends ---- */

void end_send(struct end *end, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    for (int tries = 0; end->fd >= 0 && length > 0 && tries < TURNS; tries++) {
        ssize_t sent = send(end->fd, at, length, MSG_NOSIGNAL);
        if (sent > 0)
            at += sent, length -= (size_t)sent;
        else if (errno == EAGAIN)
            uv_run(&stage.daemon->loop, UV_RUN_NOWAIT);
        else
            return;
    }
}

void end_say(struct end *end, unsigned number, uint32_t id, const void *message)
{
    struct ipc_buffer packed;
    ipc_buffer_init(&packed, BUFFER_BYTES);
    if (ipc_pack(&packed, end->speaker, number, id, message) == 0) {
        if (number == IPC_FETCH && id < STAGE_IDS)
            end->fetches[id]++;
        end_send(end, ipc_buffer_data(&packed), ipc_buffer_length(&packed));
    }
    ipc_buffer_finish(&packed);
}

void end_hang_up(struct end *end)
{
    if (end->fd >= 0)
        close(end->fd);
    end->fd = -1;
}

/* What the daemon says must always be right: it decodes, and nothing comes for an id after its DONE. */
static void take(struct end *end, const struct ipc_frame *frame)
{
    enum ipc_speaker peer = end->speaker == IPC_CLIENT ? IPC_DAEMON_TO_CLIENT : IPC_DAEMON_TO_WORKER;
    union ipc_any message;
    if (frame->type != IPC_DATA)
        HOLDS(ipc_unpack(&stage.decoder, peer, frame, &message) == 0);
    if (end->speaker == IPC_WORKER && frame->type == IPC_FETCH) {
        HOLDS(frame->id > end->newest_id);
        end->newest_id = frame->id;
    }
    if (end->speaker != IPC_CLIENT || frame->id == 0 || frame->id >= STAGE_IDS)
        return;
    HOLDS(frame->type == IPC_STATUS_REPLY || frame->type == IPC_METRICS_REPLY || frame->type == IPC_CONTROL_REPLY
          || end->dones[frame->id] == 0);
    end->dones[frame->id] += frame->type == IPC_DONE;
}

static bool take_all(struct end *end)
{
    struct ipc_frame frame;
    ssize_t got = -1;
    bool any = false;
    uint8_t *place;
    while (end->fd >= 0 && (place = ipc_buffer_reserve(&end->in, 65536)) && (got = read(end->fd, place, 65536)) > 0) {
        ipc_buffer_commit(&end->in, (size_t)got);
        any = true;
    }
    if (got == 0)
        end_hang_up(end);
    while (ipc_frame_read(ipc_buffer_data(&end->in), ipc_buffer_length(&end->in), &frame, NULL) == IPC_FRAME_OK) {
        take(end, &frame);
        ipc_buffer_consume(&end->in, frame.whole_length);
    }
    return any;
}

void stage_settle(void)
{
    bool busy = true;
    for (int turn = 0; turn < TURNS && busy; turn++) {
        busy = uv_run(&stage.daemon->loop, UV_RUN_NOWAIT) && uv_backend_timeout(&stage.daemon->loop) == 0;
        for (unsigned i = 0; i < stage.worker_count; i++)
            busy |= take_all(&stage.workers[i]);
        for (unsigned i = 0; i < stage.client_count; i++)
            busy |= take_all(&stage.clients[i]);
        busy |= bury_killed();
        struct pollfd ready = { uv_backend_fd(&stage.daemon->loop), POLLIN, 0 };
        busy |= poll(&ready, 1, 0) > 0;
    }
}

/* ---- life ---- */

static void init_handles(struct daemon *daemon)
{
    uv_timer_init(&daemon->loop, &daemon->tick);
    uv_timer_init(&daemon->loop, &daemon->drain_timer);
    uv_timer_init(&daemon->loop, &daemon->queue_timer);
    for (size_t i = 0; i < SIGNALS; i++)
        uv_signal_init(&daemon->loop, &daemon->signals[i]);
    daemon->tick.data = daemon->drain_timer.data = daemon->queue_timer.data = daemon;
}

/* Opened once: it is large, and never changes. */
static struct suffixes *known_suffixes(void)
{
    static struct suffixes *list;
    if (!list)
        list = suffixes_open();
    HOLDS(list);
    return list;
}

static void set(struct conf *conf, const char *section, const char *key, const char *value)
{
    char error[CONF_ERROR_BYTES];
    HOLDS(conf_set(conf, section, key, value, error) == 0);
}

void stage_open(unsigned workers)
{
    struct daemon *daemon = calloc(1, sizeof *daemon);
    memset(&stage, 0, sizeof stage);
    HOLDS(daemon && (daemon->conf = conf_create()));
    stage.daemon = daemon;
    set(daemon->conf, "workers", "backoff_min", "1ms");
    set(daemon->conf, "workers", "backoff_max", "1ms");
    set(daemon->conf, "retry", "delay", "1ms");
    snprintf(daemon->instance, sizeof daemon->instance, "stage");
    daemon->random = 1;
    daemon->listener.fd = daemon->listener.lock_fd = -1;
    daemon->suffixes = known_suffixes();
    HOLDS(uv_loop_init(&daemon->loop) == 0 && ipc_hub_init(&daemon->hub, &daemon->loop) == 0);
    HOLDS(ipc_decoder_init(&daemon->decoder) == 0 && ipc_decoder_init(&daemon->kept_decoder) == 0
          && ipc_decoder_init(&stage.decoder) == 0);
    origins_configure(&daemon->origins, daemon->conf);
    init_handles(daemon);
    HOLDS(crew_start(&daemon->crew, daemon, workers) == 0);
    stage_settle();
}

struct end *stage_worker(unsigned number)
{
    unsigned living = 0;
    for (unsigned i = 0; i < stage.worker_count; i++)
        living += stage.workers[i].child != NULL;
    number = living ? number % living : 0;
    for (unsigned i = 0; i < stage.worker_count; i++)
        if (stage.workers[i].child && number-- == 0)
            return &stage.workers[i];
    return NULL;
}

struct end *stage_connect(void)
{
    int pair[2];
    if (stage.client_count == STAGE_ENDS || stage.daemon->state == DAEMON_STOPPING)
        return NULL;
    HOLDS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    struct end *client = &stage.clients[stage.client_count++];
    open_end(client, pair[1], IPC_CLIENT);
    struct session *session = session_create(stage.daemon, pair[0], ++stage.daemon->last_session);
    HOLDS(session);
    DL_APPEND(stage.daemon->sessions, session);
    stage.daemon->session_count++;
    return client;
}

bool stage_is_down(void)
{
    return uv_is_closing((uv_handle_t *)&stage.daemon->tick);
}

static void leave_all(void)
{
    for (unsigned i = 0; i < stage.client_count; i++)
        end_hang_up(&stage.clients[i]);
    stage_settle();
    for (unsigned i = 0; i < stage.worker_count; i++)
        if (stage.workers[i].child && !stage.workers[i].killed_by)
            stage.workers[i].killed_by = SIGKILL;
}

void stage_close(void)
{
    struct daemon *daemon = stage.daemon;
    leave_all();
    if (!stage_is_down() && daemon->state != DAEMON_STOPPING)
        crew_retire(&daemon->crew, true);
    for (int turn = 0; turn < 1000 && !stage_is_down(); turn++) {
        stage_settle();
        leave_all();
        if (!stage_is_down() && crew_is_down(&daemon->crew))
            daemon_crew_is_down(daemon);
        if (turn > 20)
            uv_run(&daemon->loop, UV_RUN_ONCE);
    }
    HOLDS(stage_is_down());
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    HOLDS(daemon->in_flight == 0 && daemon_queued(daemon) == 0 && !daemon->sessions);
    HOLDS(uv_loop_close(&daemon->loop) == 0);
    crew_finish(&daemon->crew);
    principals_finish(&daemon->principals);
    proxies_finish(&daemon->proxies);
    proxypools_finish(&daemon->proxypools);
    origins_expire(&daemon->origins, UINT64_MAX);
    ipc_decoder_finish(&daemon->decoder);
    ipc_decoder_finish(&daemon->kept_decoder);
    ipc_decoder_finish(&stage.decoder);
    ipc_hub_finish(&daemon->hub);
    for (unsigned i = 0; i < stage.worker_count; i++)
        ipc_buffer_finish(&stage.workers[i].in);
    for (unsigned i = 0; i < stage.client_count; i++)
        ipc_buffer_finish(&stage.clients[i].in);
    authorities_finish(&daemon->authorities);
    conf_destroy(daemon->conf);
    free(daemon);
}
