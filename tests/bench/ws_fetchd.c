/* ws_baseline.c's work, done through fetchd by libfetchd's waiting calls: N messages to an echo, W of
 * them in flight. */
#include "clock.h"

#include <fetchd/client.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define WAIT_MS 10000

struct run {
    struct fetchd_client *client;
    struct fetchd_request *socket;
    size_t message_bytes;
    long window;
    char *message;
    size_t sent_bytes;        /* of the message that is being sent */
};

static void fail(struct run *run, const char *what, int result)
{
    const struct fetchd_error *error = fetchd_last_error(run->client);
    fprintf(stderr, "ws_fetchd: %s: %d: %s\n", what, result, error && error->message ? error->message : "");
    exit(1);
}

/* What of the next message can go now. True when it is whole. */
static bool send_some(struct run *run)
{
    int64_t took = fetchd_ws_send(run->socket, FETCHD_WS_BINARY, run->message + run->sent_bytes,
                                  run->message_bytes - run->sent_bytes, false, 0);
    if (took == FETCHD_TIMED_OUT)
        return false;
    if (took < 0)
        fail(run, "fetchd_ws_send", (int)took);
    run->sent_bytes += (size_t)took;
    if (run->sent_bytes < run->message_bytes)
        return false;
    run->sent_bytes = 0;
    return true;
}

/* The next echo, or nothing: then what the daemon has said since, credit say, was taken in. */
static bool receive(struct run *run, int timeout_ms)
{
    const struct fetchd_ws_message *message;
    int got = fetchd_ws_recv(run->socket, &message, timeout_ms);
    if (got == FETCHD_TIMED_OUT)
        return false;
    if (got != 0 || message->size != run->message_bytes)
        fail(run, "fetchd_ws_recv", got);
    return true;
}

static void echo(struct run *run, long messages)
{
    long sent = 0, received = 0;
    while (received < messages) {
        bool blocked = false;
        while (!blocked && sent < messages && sent - received < run->window) {
            blocked = !send_some(run);
            sent += !blocked;
        }
        if (receive(run, blocked ? 1 : WAIT_MS))
            received++;
        else if (!blocked)
            fail(run, "nothing came", 0);
        while (received < sent && receive(run, 0))
            received++;
    }
}

int main(int argc, char **argv)
{
    if (argc != 5 && argc != 6) {
        fputs("usage: ws_fetchd URL MESSAGES BYTES WINDOW [WARM_UP_MESSAGES]\n", stderr);
        return 2;
    }
    struct run run = { .message_bytes = (size_t)atol(argv[3]), .window = atol(argv[4]) };
    struct fetchd_options options = { .size = sizeof options, .url = argv[1] };
    long messages = atol(argv[2]);
    run.message = calloc(1, run.message_bytes ? run.message_bytes : 1);
    run.client = fetchd_open(NULL);
    if (!run.message || !run.client)
        return 1;
    run.socket = fetchd_ws_open(run.client, &options, WAIT_MS);
    if (!run.socket)
        fail(&run, "fetchd_ws_open", 0);
    if (argc == 6)
        echo(&run, atol(argv[5]));
    double cpu = cpu_s(), wall = wall_s();
    echo(&run, messages);
    cpu = cpu_s() - cpu;
    wall = wall_s() - wall;
    printf("{\"messages\":%ld,\"bytes\":%zu,\"cpu_s\":%.6f,\"wall_s\":%.6f}\n", messages,
           run.message_bytes, cpu, wall);
    fetchd_ws_close(run.socket, 1000, "", WAIT_MS);
    fetchd_release(run.socket);
    fetchd_close(run.client);
    free(run.message);
    return 0;
}
