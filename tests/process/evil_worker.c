/* A worker that keeps to the protocol but for one frame. A request's URL orders which, and when:
 *
 *     https://evil.test/STATE/MESSAGE/ID
 *
 *   STATE    placed, sending, answered, body, hop, socket, done: how far the request has come by then
 *   MESSAGE  any name of messages.def, whoever may say it
 *   ID       zero, own, other (of a request that is open here too), past (of one that has ended), next, top
 *
 * A file "evil-at-start" or "evil-at-goaway" beside the program holds MESSAGE/ID for these moments. Each order is
 * carried out once: a mark of it stays beside the program, so that whoever comes after serves the request.
 * URLs with /held are never answered, all others at once. */
#include "ipc/frame.h"
#include "ipc/pack.h"
#include "ipc/unpack.h"

#include "../unit/sample.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHANNEL 0
#define PATH_BYTES 512
#define BEAT_MS 500

static char folder[PATH_BYTES];
static struct ipc_buffer in;
static struct ipc_decoder decoder;
static uint32_t held_id, ended_id, newest_id;
static bool leaving;

static void send_all(const struct ipc_buffer *packed)
{
    const uint8_t *at = ipc_buffer_data(packed);
    for (size_t left = ipc_buffer_length(packed); left > 0;) {
        ssize_t sent = write(CHANNEL, at, left);
        if (sent <= 0)
            exit(0);
        at += sent;
        left -= (size_t)sent;
    }
}

static void say_as(enum ipc_speaker speaker, unsigned number, uint32_t id, const void *message)
{
    struct ipc_buffer packed;
    ipc_buffer_init(&packed, 2 * IPC_FRAME_BYTES);
    if (number == IPC_DATA ? ipc_pack_data(&packed, id, "evil", 4) == 0
                           : ipc_pack(&packed, speaker, number, id, message) == 0)
        send_all(&packed);
    ipc_buffer_finish(&packed);
}

static void say(unsigned number, uint32_t id, const void *message)
{
    say_as(IPC_WORKER, number, id, message);
}

/* ---- the order ---- */

static const struct ipc_table *find_message(const char *name, size_t length)
{
    size_t count;
    const struct ipc_table *const *tables = ipc_tables(&count);
    for (size_t i = 0; i < count; i++)
        if (strlen(tables[i]->name) == length && memcmp(tables[i]->name, name, length) == 0)
            return tables[i];
    return NULL;
}

static uint32_t find_id(const char *name, uint32_t own)
{
    const struct { const char *name; uint32_t id; } ids[] = {
        { "zero", 0 }, { "own", own }, { "other", held_id }, { "past", ended_id }, { "next", newest_id + 1 },
        { "top", UINT32_MAX },
    };
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        if (strcmp(name, ids[i].name) == 0)
            return ids[i].id;
    return own;
}

/* "MESSAGE/ID", with every field set. */
static void do_evil(const char *order, uint32_t own)
{
    static struct sample sample;
    static union ipc_any message;
    size_t length = strcspn(order, "/");
    const struct ipc_table *table = find_message(order, length);
    if (!table || !order[length])
        exit(1);
    sample_fill(&sample, table, &message);
    if (table->number == IPC_RESPONSE)
        message.response.status = 200;
    if (table->number == IPC_HOP)
        message.hop.url = IPC_TEXT("https://elsewhere.test/");
    say_as((enum ipc_speaker)(table->speakers & -table->speakers), table->number, find_id(order + length + 1, own), &message);
    sample_finish(&sample);
}

/* True for whoever asks first. */
static bool first_time(const char *order)
{
    char path[2 * PATH_BYTES];
    snprintf(path, sizeof path, "%s/did-%s", folder, order);
    for (char *at = path + strlen(folder) + 1; *at; at++)
        if (*at == '/')
            *at = '-';
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void do_evil_at(const char *moment)
{
    char path[2 * PATH_BYTES], order[PATH_BYTES] = "";
    snprintf(path, sizeof path, "%s/evil-at-%s", folder, moment);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    if (fgets(order, sizeof order, file) && first_time(order))
        do_evil(order, newest_id);
    fclose(file);
}

/* ---- a request ---- */

static void respond(uint32_t id, unsigned status)
{
    struct ipc_response response = { .status = status };
    say(IPC_RESPONSE, id, &response);
}

static void finish(uint32_t id)
{
    struct ipc_done done;
    IPC_INIT(DONE, &done);
    done.status = 200;
    say(IPC_DONE, id, &done);
    ended_id = id;
}

static void hop(uint32_t id)
{
    struct ipc_hop hop = { .status = 302, .url = IPC_TEXT("https://evil.test/after") };
    say(IPC_HOP, id, &hop);
}

/* As far as the state says; true when the answer has begun. */
static bool come_to(const char *state, uint32_t id)
{
    if (strcmp(state, "placed") == 0)
        return false;
    if (strcmp(state, "sending") == 0) {
        say(IPC_SENDING, id, NULL);
        return false;
    }
    if (strcmp(state, "hop") == 0) {
        hop(id);
        return true;
    }
    respond(id, strcmp(state, "socket") == 0 ? 101 : 200);
    if (strcmp(state, "body") == 0)
        say(IPC_DATA, id, NULL);
    if (strcmp(state, "done") == 0)
        finish(id);
    return true;
}

static void serve_order(const char *order, uint32_t id)
{
    char state[32];
    size_t length = strcspn(order, "/");
    if (length >= sizeof state)
        exit(1);
    memcpy(state, order, length);
    state[length] = '\0';
    bool begun = come_to(state, id);
    do_evil(order + length + 1, id);
    /* Whatever came of it: the rest as it should be. A hop is ended by its GO. */
    if (strcmp(state, "done") == 0 || strcmp(state, "hop") == 0)
        return;
    if (!begun)
        respond(id, 200);
    finish(id);
}

static void on_fetch(uint32_t id, const struct ipc_fetch *fetch)
{
    static const char prefix[] = "://evil.test/";
    char url[PATH_BYTES];
    newest_id = id;
    snprintf(url, sizeof url, "%.*s", (int)fetch->url.length, fetch->url.data);
    const char *path = strstr(url, prefix);
    if (!path)
        exit(1);
    path += sizeof prefix - 1;
    if (strncmp(path, "held", 4) == 0) {
        held_id = id;
    } else if (strchr(path, '/') && first_time(path)) {
        serve_order(path, id);
    } else {
        respond(id, strncmp(url, "wss", 3) == 0 ? 101 : 200);
        finish(id);
    }
}

/* ---- the loop ---- */

static void on_frame(const struct ipc_frame *frame)
{
    union ipc_any message;
    struct ipc_pong pong = { .token = 0 };
    struct ipc_failure cancelled = { .name = IPC_TEXT("cancelled") };
    if (frame->type == IPC_DATA)
        return;
    if (ipc_unpack(&decoder, IPC_DAEMON_TO_WORKER, frame, &message) < 0)
        exit(1);
    switch (frame->type) {
    case IPC_FETCH: on_fetch(frame->id, &message.fetch); break;
    case IPC_PING: pong.token = message.ping.token; say(IPC_PONG, 0, &pong); break;
    case IPC_GO: if (message.go.here) { respond(frame->id, 200); finish(frame->id); } break;
    case IPC_GOAWAY: do_evil_at("goaway"); leaving = true; break;
    case IPC_CANCEL: {
        struct ipc_done done;
        IPC_INIT(DONE, &done);
        done.error = &cancelled;
        say(IPC_DONE, frame->id, &done);
        break;
    }
    }
}

static void read_more(void)
{
    struct pollfd ready = { CHANNEL, POLLIN, 0 };
    struct ipc_beat beat;
    IPC_INIT(BEAT, &beat);
    while (poll(&ready, 1, BEAT_MS) == 0)
        say(IPC_BEAT, 0, &beat);
    uint8_t *place = ipc_buffer_reserve(&in, 65536);
    ssize_t got = place ? read(CHANNEL, place, 65536) : 0;
    if (got <= 0)
        exit(0);
    ipc_buffer_commit(&in, (size_t)got);
}

static void next_frame(struct ipc_frame *ret_frame)
{
    while (ipc_frame_read(ipc_buffer_data(&in), ipc_buffer_length(&in), ret_frame, NULL) != IPC_FRAME_OK)
        read_more();
}

int main(int argc, char **argv)
{
    struct ipc_ready ready = { .pid = (uint64_t)getpid() };
    struct ipc_frame frame;
    (void)argc;
    snprintf(folder, sizeof folder, "%s", argv[0]);
    *strrchr(folder, '/') = '\0';
    ipc_buffer_init(&in, 4 * IPC_FRAME_BYTES);
    if (ipc_decoder_init(&decoder) < 0)
        return 1;
    next_frame(&frame);   /* SETTINGS */
    ipc_buffer_consume(&in, frame.whole_length);
    do_evil_at("start");
    say(IPC_READY, 0, &ready);
    while (!leaving) {
        next_frame(&frame);
        on_frame(&frame);
        ipc_buffer_consume(&in, frame.whole_length);
    }
    return 0;
}
