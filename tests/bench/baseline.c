/* What a program can do in its own process: N GETs with C in flight by curl_multi_poll, the bodies
 * counted and dropped, or written to files. Built twice, on the distribution's libcurl and on ours;
 * tests/bench/run sets fetchd beside both. Easy handles are made once and used again; nothing is done
 * twice. */
#include "clock.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
    const char *url, *ca_file;
    const char *output;        /* a folder for the bodies; NULL: dropped */
    long requests, concurrency, expect_bytes, warm_up;
    bool http2, fresh, wait;
    long started, finished, errors;
    double *times_s;           /* of each request; NULL while warming up */
    CURLM *multi;
};

struct slot { struct run *run; CURL *easy; FILE *file; long bytes; double start_s; };

static size_t on_curl_body(char *data, size_t one, size_t count, void *user)
{
    struct slot *slot = user;
    slot->bytes += (long)(one * count);
    return slot->file ? fwrite(data, one, count, slot->file) : one * count;
}

static bool slot_init(struct slot *slot, struct run *run)
{
    CURL *easy = curl_easy_init();
    slot->run = run;
    slot->easy = easy;
    return easy && !curl_easy_setopt(easy, CURLOPT_URL, run->url)
        && !curl_easy_setopt(easy, CURLOPT_PRIVATE, slot)
        && !curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_curl_body)
        && !curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot)
        && !curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                             run->http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1)
        && !curl_easy_setopt(easy, CURLOPT_PIPEWAIT, run->http2 ? 1L : 0L)
        && !curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, run->fresh ? 1L : 0L)
        && !curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, run->fresh ? 1L : 0L)
        && !curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, run->fresh ? 0L : 1L)
        && !curl_easy_setopt(easy, CURLOPT_CAINFO, run->ca_file)
        && !curl_easy_setopt(easy, CURLOPT_CAPATH, NULL)
        && !curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L)
        && !curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

static void open_file(struct slot *slot)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%ld", slot->run->output, slot->run->started);
    slot->file = fopen(path, "wb");
    if (!slot->file)
        abort();
}

static void slot_start(struct slot *slot)
{
    slot->bytes = 0;
    slot->start_s = wall_s();
    slot->run->started++;
    if (slot->run->output)
        open_file(slot);
    if (curl_multi_add_handle(slot->run->multi, slot->easy))
        abort();
}

static void slot_finish(struct slot *slot, CURLcode result)
{
    struct run *run = slot->run;
    long status = 0;
    curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
    if (result || status != 200 || slot->bytes != run->expect_bytes) {
        if (!run->errors++)
            fprintf(stderr, "baseline: %s, status %ld, %ld bytes\n", curl_easy_strerror(result), status, slot->bytes);
    }
    if (run->times_s)
        run->times_s[run->finished] = wall_s() - slot->start_s;
    run->finished++;
    if (slot->file && fclose(slot->file))
        run->errors++;
    curl_multi_remove_handle(run->multi, slot->easy);
}

static void collect(struct run *run)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(run->multi, &left))) {
        struct slot *slot = NULL;
        CURLcode result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
        slot_finish(slot, result);
        if (run->started < run->requests)
            slot_start(slot);
    }
}

/* Does `requests` requests on the slots. */
static void run_all(struct run *run, struct slot *slots, long requests)
{
    int running;
    run->requests = requests;
    run->started = run->finished = 0;
    for (long i = 0; i < run->concurrency && i < requests; i++)
        slot_start(&slots[i]);
    while (run->finished < requests) {
        if (curl_multi_perform(run->multi, &running))
            abort();
        collect(run);
        if (run->finished < requests && running && curl_multi_poll(run->multi, NULL, 0, 1000, NULL))
            abort();
    }
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double percentile_ms(const struct run *run, long percent)
{
    return 1e3 * run->times_s[(run->requests * percent + 99) / 100 - 1];
}

/* Several of these begin together: each says that it is ready, and goes on when its stdin ends. */
static void wait_for_others(void)
{
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF)
        ;
}

/* Connections and handshakes, not counted. */
static void warm_up(struct run *run, struct slot *slots)
{
    if (run->warm_up)
        run_all(run, slots, run->warm_up);
    if (run->wait)
        wait_for_others();
}

static void measure(struct run *run, struct slot *slots, long requests)
{
    run->times_s = calloc((size_t)requests, sizeof *run->times_s);
    if (!run->times_s)
        abort();
    double cpu = cpu_s(), wall = wall_s();
    run_all(run, slots, requests);
    cpu = cpu_s() - cpu;
    wall = wall_s() - wall;
    qsort(run->times_s, (size_t)requests, sizeof *run->times_s, compare);
    printf("{\"library\":\"%s\",\"requests\":%ld,\"errors\":%ld,\"cpu_s\":%.6f,\"wall_s\":%.6f,"
           "\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n", curl_version(), requests, run->errors, cpu, wall,
           percentile_ms(run, 50), percentile_ms(run, 99));
    free(run->times_s);
}

static int usage(void)
{
    fputs("usage: baseline URL CA_FILE REQUESTS CONCURRENCY EXPECT_BYTES"
          " [http2] [fresh] [wait] [warm-up=REQUESTS] [output=FOLDER]\n", stderr);
    return 2;
}

static bool read_word(struct run *run, const char *word)
{
    if (strncmp(word, "warm-up=", 8) == 0)
        run->warm_up = atol(word + 8);
    else if (strncmp(word, "output=", 7) == 0)
        run->output = word + 7;
    else if (strcmp(word, "http2") == 0)
        run->http2 = true;
    else if (strcmp(word, "fresh") == 0)
        run->fresh = true;
    else if (strcmp(word, "wait") == 0)
        run->wait = true;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return usage();
    struct run run = { .url = argv[1], .ca_file = argv[2], .requests = atol(argv[3]),
                       .concurrency = atol(argv[4]), .expect_bytes = atol(argv[5]) };
    for (int i = 6; i < argc; i++) {
        if (!read_word(&run, argv[i]))
            return usage();
    }
    if (run.requests < 1 || run.concurrency < 1 || curl_global_init(CURL_GLOBAL_DEFAULT))
        return usage();
    struct slot *slots = calloc((size_t)run.concurrency, sizeof *slots);
    run.multi = curl_multi_init();
    if (!slots || !run.multi || curl_multi_setopt(run.multi, CURLMOPT_MAXCONNECTS, run.concurrency + 16))
        return 1;
    for (long i = 0; i < run.concurrency; i++) {
        if (!slot_init(&slots[i], &run))
            return 1;
    }

    long requests = run.requests;
    warm_up(&run, slots);
    measure(&run, slots, requests);

    for (long i = 0; i < run.concurrency; i++)
        curl_easy_cleanup(slots[i].easy);
    curl_multi_cleanup(run.multi);
    free(slots);
    curl_global_cleanup();
    return run.errors ? 1 : 0;
}
