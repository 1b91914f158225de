/* What a program can do with a WebSocket in its own process: N messages to an echo, W of them in
 * flight, by curl_ws_send and curl_ws_recv on a socket that it polls. tests/bench/run sets fetchd
 * beside it. */
#include "clock.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES (64 * 1024)

struct run {
    CURL *easy;
    curl_socket_t fd;
    size_t message_bytes;
    long window, wanted;
    char *message, *place;
    long sent, received;      /* whole messages */
    size_t sent_bytes;        /* of the one that is being sent */
    size_t received_bytes;    /* of the one that is being received */
    bool blocked;             /* the kernel takes no more now */
};

static void fail(const char *what, CURLcode result)
{
    fprintf(stderr, "ws_baseline: %s: %s\n", what, curl_easy_strerror(result));
    exit(1);
}

static bool connect_to(struct run *run, const char *url, const char *ca_file)
{
    CURL *easy = curl_easy_init();
    run->easy = easy;
    return easy && !curl_easy_setopt(easy, CURLOPT_URL, url)
        && !curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 2L)
        && !curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file)
        && !curl_easy_setopt(easy, CURLOPT_CAPATH, NULL)
        && !curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L)
        && !curl_easy_setopt(easy, CURLOPT_PROXY, "")
        && !curl_easy_perform(easy)
        && !curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &run->fd);
}

/* As many messages as may be in flight. */
static void send_all(struct run *run)
{
    run->blocked = false;
    while (run->sent < run->wanted && run->sent - run->received < run->window) {
        size_t sent = 0;
        CURLcode result = curl_ws_send(run->easy, run->message + run->sent_bytes,
                                       run->message_bytes - run->sent_bytes, &sent, 0, CURLWS_BINARY);
        if (result == CURLE_AGAIN) {
            run->blocked = true;
            return;
        }
        if (result)
            fail("curl_ws_send", result);
        run->sent_bytes += sent;
        if (run->sent_bytes == run->message_bytes) {
            run->sent_bytes = 0;
            run->sent++;
        }
    }
}

static void count(struct run *run, const struct curl_ws_frame *meta, size_t length)
{
    run->received_bytes += length;
    if (meta->bytesleft > 0 || meta->flags & CURLWS_CONT)
        return;
    if (run->received_bytes != run->message_bytes) {
        fprintf(stderr, "ws_baseline: an echo of %zu bytes\n", run->received_bytes);
        exit(1);
    }
    run->received_bytes = 0;
    run->received++;
}

static void receive_all(struct run *run)
{
    for (;;) {
        const struct curl_ws_frame *meta;
        size_t length = 0;
        CURLcode result = curl_ws_recv(run->easy, run->place, READ_BYTES, &length, &meta);
        if (result == CURLE_AGAIN)
            return;
        if (result)
            fail("curl_ws_recv", result);
        if (meta->flags & (CURLWS_TEXT | CURLWS_BINARY))
            count(run, meta, length);
    }
}

static void echo(struct run *run, long messages)
{
    run->wanted = messages;
    run->sent = run->received = 0;
    while (run->received < messages) {
        send_all(run);
        receive_all(run);
        bool may_send = run->sent < messages && run->sent - run->received < run->window && !run->blocked;
        struct pollfd wait = { .fd = run->fd, .events = (short)(POLLIN | (run->blocked ? POLLOUT : 0)) };
        if (run->received < messages && !may_send && poll(&wait, 1, 10000) == 0) {
            fputs("ws_baseline: nothing came in 10 s\n", stderr);
            exit(1);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 6 && argc != 7) {
        fputs("usage: ws_baseline URL CA_FILE MESSAGES BYTES WINDOW [WARM_UP_MESSAGES]\n", stderr);
        return 2;
    }
    struct run run = { .message_bytes = (size_t)atol(argv[4]), .window = atol(argv[5]) };
    long messages = atol(argv[3]);
    run.message = calloc(1, run.message_bytes ? run.message_bytes : 1);
    run.place = malloc(READ_BYTES);
    if (!run.message || !run.place || run.window < 1 || curl_global_init(CURL_GLOBAL_DEFAULT)
        || !connect_to(&run, argv[1], argv[2])) {
        fputs("ws_baseline: no connection\n", stderr);
        return 1;
    }
    if (argc == 7)
        echo(&run, atol(argv[6]));
    double cpu = cpu_s(), wall = wall_s();
    echo(&run, messages);
    cpu = cpu_s() - cpu;
    wall = wall_s() - wall;
    printf("{\"library\":\"%s\",\"messages\":%ld,\"bytes\":%zu,\"cpu_s\":%.6f,\"wall_s\":%.6f}\n",
           curl_version(), messages, run.message_bytes, cpu, wall);
    curl_easy_cleanup(run.easy);
    free(run.message);
    free(run.place);
    curl_global_cleanup();
    return 0;
}
