/* A daemon that says anything to a real worker, libcurl and all: the worker goes on or ends, what it says
 * itself is always right, each id has one DONE at most, and nothing is ever connected to (names are not
 * looked up either: a target that reaches the network is none). */
#include "script.h"

#include "ipc/frame.h"
#include "ipc/pack.h"
#include "ipc/unpack.h"
#include "worker/log.h"
#include "worker/memory.h"
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RAW = SCRIPT_FIRST_OWN, SETTLE, FETCH, UPLOAD, SOCKET, GO, CREDIT, CANCEL, OPERATIONS };

#define TURNS 50
#define FOLLOWED 64   /* ids whose DONE is counted */

static struct end daemon_end;
static unsigned dones[FOLLOWED];
static struct ipc_decoder decoder;

/* ---- instead of the network ---- */

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_list);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length);

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_list)
{
    (void)node, (void)service, (void)hints, (void)ret_list;
    return EAI_NONAME;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    (void)fd, (void)length;
    HOLDS(address->sa_family != AF_INET && address->sa_family != AF_INET6);
    errno = ECONNREFUSED;
    return -1;
}

/* ---- the daemon's end ---- */

void end_send(struct end *end, const void *bytes, size_t length)
{
    if (end->fd >= 0 && send(end->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
        HOLDS(errno == EPIPE || errno == ECONNRESET);
}

static void say(unsigned number, uint32_t id, const void *message)
{
    struct ipc_buffer packed;
    ipc_buffer_init(&packed, 4 * IPC_FRAME_BYTES);
    if (ipc_pack(&packed, IPC_DAEMON_TO_WORKER, number, id, message) == 0)
        end_send(&daemon_end, ipc_buffer_data(&packed), ipc_buffer_length(&packed));
    ipc_buffer_finish(&packed);
}

static void take(const struct ipc_frame *frame)
{
    union ipc_any message;
    struct ipc_bytes payload;
    if (frame->type == IPC_DATA)
        HOLDS(ipc_unpack_data(&decoder, frame, &payload) == 0);
    else
        HOLDS(ipc_unpack(&decoder, IPC_WORKER, frame, &message) == 0);
    if (frame->id == 0 || frame->id >= FOLLOWED)
        return;
    HOLDS(dones[frame->id] == 0);
    dones[frame->id] += frame->type == IPC_DONE;
}

static void listen_to_it(void)
{
    struct ipc_frame frame;
    ssize_t got;
    uint8_t *place;
    while (daemon_end.fd >= 0 && (place = ipc_buffer_reserve(&daemon_end.in, 65536))
           && (got = recv(daemon_end.fd, place, 65536, MSG_DONTWAIT)) > 0)
        ipc_buffer_commit(&daemon_end.in, (size_t)got);
    while (ipc_frame_read(ipc_buffer_data(&daemon_end.in), ipc_buffer_length(&daemon_end.in), &frame, NULL) == IPC_FRAME_OK) {
        take(&frame);
        ipc_buffer_consume(&daemon_end.in, frame.whole_length);
    }
}

/* ---- the worker ---- */

/* Everything is denied, so that even an address in a URL leads nowhere. */
static void configure(void)
{
    static const struct ipc_text deny[] = { { "any", 3 } };
    struct ipc_settings settings;
    IPC_INIT(SETTINGS, &settings);
    settings.build = IPC_TEXT(FETCHD_VERSION);
    settings.worker = 1;
    settings.log_level = 0;
    settings.unconfined = true;
    settings.egress_deny = (struct ipc_texts){ deny, 1 };
    say(IPC_SETTINGS, 0, &settings);
}

static struct worker *open_worker(void)
{
    int pair[2];
    struct worker *worker = calloc(1, sizeof *worker);
    HOLDS(worker && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    daemon_end = (struct end){ .fd = pair[1], .speaker = IPC_DAEMON_TO_WORKER };
    ipc_buffer_init(&daemon_end.in, (size_t)64 << 20);
    memset(dones, 0, sizeof dones);
    HOLDS(worker_open(worker, pair[0]) == 0);
    configure();
    return worker;
}

static void settle(struct worker *worker)
{
    for (int turn = 0; turn < TURNS; turn++) {
        uv_run(&worker->loop, UV_RUN_NOWAIT);
        listen_to_it();
        if (turn > 2 && uv_backend_timeout(&worker->loop) != 0)
            return;
    }
}

static void cancel_all(struct worker *worker)
{
    for (size_t i = 0; i < TRANSFER_BUCKETS; i++)
        for (unsigned tries = 0; worker->transfers.buckets[i] && tries < 1000; tries++)
            transfers_cancel(&worker->transfers, worker->transfers.buckets[i]->id);
    settle(worker);
}

static void on_uv_walk(uv_handle_t *handle, void *data)
{
    (void)data;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* A worker ends with its process, so this is the target's own business. */
static void close_worker(struct worker *worker)
{
    cancel_all(worker);
    while (partitions_close_one(&worker->transfers.partitions))
        ;
    close(daemon_end.fd);
    daemon_end.fd = -1;
    settle(worker);
    ipc_channel_close(&worker->channel);
    ipc_hub_close(&worker->hub);
    uv_walk(&worker->loop, on_uv_walk, NULL);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    HOLDS(uv_loop_close(&worker->loop) == 0);
    while (worker->transfers.pool) {
        struct transfer *transfer = worker->transfers.pool;
        worker->transfers.pool = transfer->next;
        free(transfer);
    }
    ipc_buffer_finish(&worker->transfers.partitions.key);
    free(worker->transfers.pairs);
    ipc_hub_finish(&worker->hub);
    ipc_decoder_finish(&worker->decoder);
    settings_finish(&worker->settings);
    free(worker);
    ipc_buffer_finish(&daemon_end.in);
}

/* ---- what the script's own operations say ---- */

static void fetch(const char *url, const char *method, bool streamed, bool follow)
{
    struct ipc_fetch fetch;
    IPC_INIT(FETCH, &fetch);
    fetch.url = ipc_text(url);
    fetch.method = ipc_text(method);
    fetch.body_streamed = streamed;
    fetch.follow = follow;
    fetch.principal = 1;
    fetch.announce = streamed;
    say(IPC_FETCH, ++daemon_end.newest_id, &fetch);
}

static void act(struct worker *worker, const struct script_record *record)
{
    uint32_t id = script_id(&daemon_end, record->choice);
    struct ipc_go go = { .here = record->length % 2 == 0 };
    struct ipc_credit credit = { .bytes = 4096 };
    switch (SCRIPT_FIRST_OWN + record->operation % (OPERATIONS - SCRIPT_FIRST_OWN)) {
    case RAW: end_send(&daemon_end, record->bytes, record->length); break;
    case SETTLE: settle(worker); break;
    case FETCH: fetch(record->choice % 2 ? "https://a.test/" : "http://192.0.2.1/", "GET", false, true); break;
    case UPLOAD: fetch("ftp://a.test/up", "PUT", true, false); break;
    case SOCKET: fetch("wss://192.0.2.1/", "GET", false, false); break;
    case GO: say(IPC_GO, id, &go); break;
    case CREDIT: say(IPC_CREDIT, id, &credit); break;
    case CANCEL: say(IPC_CANCEL, id, NULL); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;
    struct script script = { data, size };
    struct script_record record;
    if (!begun)
        HOLDS(memory_start_curl() == CURLE_OK && ipc_decoder_init(&decoder) == 0);
    begun = true;
    log_set_level(0);
    struct worker *worker = open_worker();
    settle(worker);
    while (script_next(&script, &record)) {
        if (record.operation < SCRIPT_FIRST_OWN)
            script_send(&daemon_end, &record);
        else
            act(worker, &record);
    }
    settle(worker);
    close_worker(worker);
    return 0;
}
