/* A daemon in this process, with workers and clients that are the test's. */
#include "stage.h"

#include "daemon/log.h"
#include "daemon/spawn.h"
#include "daemon/suffix.h"

#include "ipc/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#define BARRIER 0xb0b5   /* the token of our own PINGs */

struct stage stage;

static void wire_open(struct wire *wire, int fd, enum ipc_speaker speaker)
{
    *wire = (struct wire){ .fd = fd, .speaker = speaker };
    ipc_buffer_init(&wire->in, 64 * 1024 * 1024);
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

/* ---- instead of spawn_unix.c: a process that does nothing, its channel with us ---- */

int spawn_worker(uv_loop_t *loop, struct child *child, const struct spawn_order *order,
                 struct spawned *ret_spawned)
{
    static char sleep_path[] = "/bin/sleep", missing_path[] = "/nonexistent/worker", seconds[] = "100000";
    bool refused = stage.refuse_spawns > 0;
    char *arguments[] = { sleep_path, seconds, NULL };
    int channel[2], log[2];
    (void)order;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel), 0);
    assert_int_equal(pipe2(log, O_CLOEXEC), 0);
    uv_stdio_container_t stdio[3] = { { .flags = UV_IGNORE }, { .flags = UV_IGNORE },
                                      { .flags = UV_INHERIT_FD, .data.fd = log[1] } };
    uv_process_options_t options = { .file = refused ? missing_path : sleep_path, .args = arguments,
                                     .stdio = stdio, .stdio_count = 3 };
    int status = child_spawn(child, loop, &options);
    close(log[1]);
    if (status < 0) {
        stage.refuse_spawns--;
        close(channel[0]);
        close(channel[1]);
        close(log[0]);
        return status;
    }
    assert_in_range(stage.worker_count, 0, STAGE_WORKERS - 1);
    struct stage_worker *worker = &stage.workers[stage.worker_count++];
    worker->pid = (int)child->pid;
    wire_open(&worker->wire, channel[1], IPC_WORKER);
    *ret_spawned = (struct spawned){ channel[0], log[0] };
    return 0;
}

/* ---- life ---- */

static void set_all(struct conf *conf, va_list settings)
{
    for (const char *setting; (setting = va_arg(settings, const char *));) {
        char section[64], error[CONF_ERROR_BYTES];
        size_t length = strcspn(setting, "="), dot = length;
        while (dot > 0 && setting[dot] != '.')
            dot--;
        char key[64];
        snprintf(section, sizeof section, "%.*s", (int)dot, setting);
        snprintf(key, sizeof key, "%.*s", (int)(length - dot - 1), setting + dot + 1);
        if (conf_set(conf, section, key, setting + length + 1, error) < 0)
            fail_msg("%s", error);
    }
}

static void init_handles(struct daemon *daemon)
{
    uv_timer_init(&daemon->loop, &daemon->tick);
    uv_timer_init(&daemon->loop, &daemon->drain_timer);
    uv_timer_init(&daemon->loop, &daemon->queue_timer);
    for (size_t i = 0; i < SIGNALS; i++)
        uv_signal_init(&daemon->loop, &daemon->signals[i]);
    daemon->tick.data = daemon->drain_timer.data = daemon->queue_timer.data = daemon;
}

/* As crew_start does, but nobody is spawned yet. */
static void set_table(struct daemon *daemon, unsigned seats)
{
    struct crew *crew = &daemon->crew;
    *crew = (struct crew){ .daemon = daemon, .size = seats, .roll_next = seats, .group_count = 1,
                           .groups = { { .size = seats } } };
    crew->seats = calloc(seats, sizeof(struct supervisor *));
    assert_int_equal(pool_init(&crew->groups[0].pool, seats), 0);
    for (unsigned i = 0; i < seats; i++)
        crew->seats[i] = supervisor_create(daemon, i, i + 1);
}

void stage_begin(unsigned seats, ...)
{
    struct rlimit no_cores = { 0, 0 };
    struct daemon *daemon = calloc(1, sizeof *daemon);
    va_list settings;
    memset(&stage, 0, sizeof stage);
    stage.daemon = daemon;
    setrlimit(RLIMIT_CORE, &no_cores);
    log_configure(getenv("UNIT_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, false);
    daemon->conf = conf_create();
    va_start(settings, seats);
    set_all(daemon->conf, settings);
    va_end(settings);
    snprintf(daemon->instance, sizeof daemon->instance, "stage");
    daemon->random = 1;
    daemon->listener.fd = daemon->listener.lock_fd = -1;
    daemon->suffixes = suffixes_open();
    assert_int_equal(uv_loop_init(&daemon->loop), 0);
    assert_int_equal(ipc_hub_init(&daemon->hub, &daemon->loop), 0);
    assert_int_equal(ipc_decoder_init(&daemon->decoder) | ipc_decoder_init(&daemon->kept_decoder)
                     | ipc_decoder_init(&stage.decoder), 0);
    origins_configure(&daemon->origins, daemon->conf);
    init_handles(daemon);
    set_table(daemon, seats);
}

void stage_start(void)
{
    for (unsigned i = 1; i <= stage.daemon->crew.size; i++)
        supervisor_event(stage_seat(i), SUPERVISOR_SPAWN, NULL);
}

/* Nobody is waited for: the workers are killed, the clients are gone. */
void stage_end(void)
{
    struct daemon *daemon = stage.daemon;
    for (unsigned i = 0; i < stage.client_count; i++) {
        wire_close(&stage.clients[i]);
        ipc_buffer_finish(&stage.clients[i].in);
    }
    stage_until(!daemon->sessions);
    for (unsigned i = 0; i < stage.worker_count; i++) {
        wire_close(&stage.workers[i].wire);
        ipc_buffer_finish(&stage.workers[i].wire.in);
    }
    crew_retire(&daemon->crew, true);
    stage_until(crew_is_down(&daemon->crew));
    if (!uv_is_closing((uv_handle_t *)&daemon->tick))
        daemon_crew_is_down(daemon);   /* a test stopped the last one itself */
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    assert_int_equal(daemon->in_flight, 0);
    assert_int_equal((int)daemon_queued(daemon), 0);
    assert_int_equal(uv_loop_close(&daemon->loop), 0);
    crew_finish(&daemon->crew);
    principals_finish(&daemon->principals);
    suffixes_close(daemon->suffixes);
    proxies_finish(&daemon->proxies);
    origins_expire(&daemon->origins, UINT64_MAX);
    ipc_decoder_finish(&daemon->decoder);
    ipc_decoder_finish(&daemon->kept_decoder);
    ipc_decoder_finish(&stage.decoder);
    ipc_hub_finish(&daemon->hub);
    authorities_finish(&daemon->authorities);
    conf_destroy(daemon->conf);
    free(daemon);
}

/* The other ends of channels are not the loop's: it must not sleep on, while one of them has come. */
void stage_step(bool waits)
{
    uv_loop_t *loop = &stage.daemon->loop;
    struct pollfd ready = { uv_backend_fd(loop), POLLIN, 0 };
    if (waits && uv_backend_timeout(loop) != 0)
        poll(&ready, 1, 2);
    uv_run(loop, UV_RUN_NOWAIT);
}

void stage_turn(void)
{
    for (int i = 0; i < 20; i++)
        uv_run(&stage.daemon->loop, UV_RUN_NOWAIT);
}

/* ---- workers ---- */

struct supervisor *stage_seat(unsigned number)
{
    return stage.daemon->crew.seats[number - 1];
}

struct stage_worker *stage_newest(void)
{
    assert_int_not_equal(stage.worker_count, 0);
    return &stage.workers[stage.worker_count - 1];
}

void stage_make_ready(struct stage_worker *worker)
{
    struct ipc_ready ready = { .pid = (uint64_t)worker->pid };
    wire_expect(&worker->wire, IPC_SETTINGS, 0, NULL);
    wire_say(&worker->wire, IPC_READY, 0, &ready);
    stage_turn();
}

/* ---- clients ---- */

struct session *stage_session(void)
{
    return stage.daemon->sessions->prev;   /* utlist.h: the head's prev is the tail */
}

struct wire *stage_connect_silent(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_in_range(stage.client_count, 0, STAGE_CLIENTS - 1);
    struct wire *wire = &stage.clients[stage.client_count++];
    wire_open(wire, pair[1], IPC_CLIENT);
    struct session *session = session_create(stage.daemon, pair[0], ++stage.daemon->last_session);
    assert_non_null(session);
    DL_APPEND(stage.daemon->sessions, session);
    return wire;
}

struct wire *stage_connect(void)
{
    struct ipc_hello hello;
    struct wire *wire = stage_connect_silent();
    IPC_INIT(HELLO, &hello);
    hello.version_min = hello.version_max = 1;
    wire_say(wire, IPC_HELLO, 0, &hello);
    wire_expect(wire, IPC_WELCOME, 0, NULL);
    return wire;
}

/* ---- wires ---- */

void wire_close(struct wire *wire)
{
    if (wire->fd >= 0)
        close(wire->fd);
    wire->fd = -1;
    if (wire->descriptor > 0)
        close(wire->descriptor);
    wire->descriptor = 0;
}

void wire_say_bytes(struct wire *wire, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t sent = send(wire->fd, at, length, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
            return;   /* the test sees the end when it reads */
        if (sent < 0) {
            assert_int_equal(errno, EAGAIN);
            uv_run(&stage.daemon->loop, UV_RUN_NOWAIT);
            continue;
        }
        at += sent;
        length -= (size_t)sent;
    }
}

static void say_packed(struct wire *wire, struct ipc_buffer *packed, int result)
{
    assert_int_equal(result, 0);
    wire_say_bytes(wire, ipc_buffer_data(packed), ipc_buffer_length(packed));
    ipc_buffer_finish(packed);
}

void wire_say(struct wire *wire, unsigned number, uint32_t id, const void *message)
{
    struct ipc_buffer packed;
    ipc_buffer_init(&packed, 2 * IPC_FRAME_BYTES);
    say_packed(wire, &packed, ipc_pack(&packed, wire->speaker, number, id, message));
}

void wire_say_descriptor(struct wire *wire, unsigned number, uint32_t id, int fd)
{
    union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof fd)]; } control
        = { .header = { .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
    struct ipc_buffer packed;
    ipc_buffer_init(&packed, IPC_FRAME_BYTES);
    assert_int_equal(ipc_pack(&packed, wire->speaker, number, id, NULL), 0);
    struct iovec iovec = { ipc_buffer_data(&packed), ipc_buffer_length(&packed) };
    struct msghdr message = { .msg_iov = &iovec, .msg_iovlen = 1, .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    assert_int_equal(sendmsg(wire->fd, &message, MSG_NOSIGNAL), iovec.iov_len);
    ipc_buffer_finish(&packed);
    close(fd);
    stage_turn();
}

void wire_say_data(struct wire *wire, uint32_t id, const void *data, size_t length)
{
    struct ipc_buffer packed;
    ipc_buffer_init(&packed, 2 * IPC_FRAME_BYTES);
    say_packed(wire, &packed, ipc_pack_data(&packed, id, data, length));
}

void wire_say_credit(struct wire *wire, uint32_t id, uint64_t bytes)
{
    struct ipc_credit credit = { .bytes = bytes };
    wire_say(wire, IPC_CREDIT, id, &credit);
}

static ssize_t receive(struct wire *wire, void *place, size_t size)
{
    union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(int))]; } control;
    struct iovec iovec = { place, size };
    struct msghdr message = { .msg_iov = &iovec, .msg_iovlen = 1, .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };
    ssize_t got = recvmsg(wire->fd, &message, 0);
    if (got > 0 && CMSG_FIRSTHDR(&message))
        memcpy(&wire->descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof wire->descriptor);
    return got;
}

int wire_take_descriptor(struct wire *wire)
{
    assert_true(wire->descriptor > 0);
    int fd = wire->descriptor;
    wire->descriptor = 0;
    return fd;
}

static void read_more(struct wire *wire)
{
    while (wire->fd >= 0 && !wire->ended) {
        uint8_t *place = ipc_buffer_reserve(&wire->in, 65536);
        ssize_t got = receive(wire, place, 65536);
        if (got > 0)
            ipc_buffer_commit(&wire->in, (size_t)got);
        else if (got < 0 && errno == EAGAIN)
            return;
        else
            wire->ended = true;
    }
}

bool wire_next(struct wire *wire, struct ipc_frame *ret_frame)
{
    if (wire->taken > 0)
        ipc_buffer_consume(&wire->in, wire->taken);
    wire->taken = 0;
    read_more(wire);
    const uint8_t *bytes = ipc_buffer_data(&wire->in);
    if (ipc_frame_read(bytes, ipc_buffer_length(&wire->in), ret_frame, NULL) != IPC_FRAME_OK)
        return false;
    wire->taken = ret_frame->whole_length;
    return true;
}

static enum ipc_speaker other_side(const struct wire *wire)
{
    return wire->speaker == IPC_CLIENT ? IPC_DAEMON_TO_CLIENT : IPC_DAEMON_TO_WORKER;
}

struct ipc_frame wire_expect(struct wire *wire, unsigned number, uint32_t id, union ipc_any *ret_message)
{
    struct ipc_frame frame = { .type = 0 };
    union ipc_any message;
    stage_until(wire_next(wire, &frame) || wire->ended);
    if (wire->taken == 0)
        fail_msg("the wire ended, wanted was %s", ipc_message_name(number));
    if (frame.type != number || frame.id != id)
        fail_msg("%s for %u came, wanted was %s for %u", ipc_message_name(frame.type), frame.id,
                 ipc_message_name(number), id);
    if (!ret_message)
        ret_message = &message;
    if (number != IPC_DATA && ipc_unpack(&stage.decoder, other_side(wire), &frame, ret_message) < 0)
        fail_msg("%s", stage.decoder.reason);
    return frame;
}

struct ipc_bytes wire_expect_data(struct wire *wire, uint32_t id)
{
    struct ipc_frame frame = wire_expect(wire, IPC_DATA, id, NULL);
    struct ipc_bytes payload;
    assert_int_equal(ipc_unpack_data(&stage.decoder, &frame, &payload), 0);
    return payload;
}

void wire_expect_end(struct wire *wire)
{
    struct ipc_frame frame;
    stage_until(wire_next(wire, &frame) || wire->ended);
    if (wire->taken > 0)
        fail_msg("%s came, not the end", ipc_message_name(frame.type));
}

static bool is_barrier(const struct ipc_frame *frame)
{
    union ipc_any pong;
    return frame->type == IPC_PONG && ipc_unpack(&stage.decoder, IPC_DAEMON_TO_WORKER, frame, &pong) == 0
        && pong.pong.token == BARRIER;
}

void wire_names(struct wire *wire, char *ret_names, size_t size)
{
    struct ipc_ping ping = { .token = BARRIER };
    struct ipc_frame frame;
    ret_names[0] = '\0';
    if (wire->fd < 0 || size == 0)
        return;
    stage_turn();
    wire_say(wire, IPC_PING, 0, &ping);
    for (;;) {
        stage_until(wire_next(wire, &frame) || wire->ended);
        bool ended = wire->taken == 0;
        if (!ended && is_barrier(&frame))
            return;
        size_t length = strlen(ret_names);
        snprintf(ret_names + length, size - length, "%s%s", length ? " " : "",
                 ended ? "ended" : ipc_message_name(frame.type));
        if (ended)
            return;
    }
}

void wire_expect_nothing(struct wire *wire)
{
    char names[400];
    wire_names(wire, names, sizeof names);
    assert_string_equal(names, "");
}
