/* A fixed number of requests kept in flight. What it costs itself is a part of what it measures, so a
 * request allocates nothing here, and a turn is one read and one write for each connection. */
#include "bench.h"

#include "attend.h"
#include "client/json.h"
#include "memory.h"
#include "recipe.h"
#include "say.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECT_MS 10000
#define MOST_REQUESTS 100000000
#define MOST_AT_ONCE 1000000
#define MOST_CONNECTIONS ATTEND_MOST
#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(words) #words
#define KINDS 64
#define KIND_BYTES 48

struct slot {
    struct fetchd_client *client;
    int64_t start_us;
    uint64_t bytes;
    unsigned status;
};

struct bench {
    const struct options *options;
    struct recipe recipe;
    struct fetchd_client **clients;
    bool *ready;
    struct slot *slots;
    uint64_t started, ended, ok, bytes;
    uint32_t *times_us;        /* of those that succeeded */
    struct { char name[KIND_BYTES]; uint64_t count; } kinds[KINDS];
    size_t kind_count;
    int code;
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void count_error(struct bench *bench, const char *name, int code)
{
    size_t i = 0;
    while (i < bench->kind_count && strcmp(bench->kinds[i].name, name) != 0)
        i++;
    bench->code = code;
    if (i == KINDS)
        i--;
    else if (i == bench->kind_count)
        snprintf(bench->kinds[bench->kind_count++].name, KIND_BYTES, "%s", name);
    bench->kinds[i].count++;
}

/* A slot that can't start counts an error and tries the next request, until all are used up. */
static void start(struct bench *bench, struct slot *slot)
{
    while (bench->started < bench->options->requests) {
        bench->started++;
        slot->bytes = 0;
        slot->status = 0;
        slot->start_us = now_us();
        if (fetchd_start(slot->client, &bench->recipe.options, slot))
            return;
        const struct fetchd_error *error = fetchd_last_error(slot->client);
        count_error(bench, error->name, error->exit_code);
        bench->ended++;
    }
}

static void judge(struct bench *bench, const struct slot *slot, const struct fetchd_error *error)
{
    const struct options *options = bench->options;
    char name[KIND_BYTES];
    bench->bytes += slot->bytes;
    if (error) {
        count_error(bench, error->name, error->exit_code);
    } else if (slot->status >= 400) {
        snprintf(name, sizeof name, "status.%u", slot->status);
        count_error(bench, name, EXIT_HTTP_ERROR);
    } else if (options->has_expect_bytes && slot->bytes != options->expect_bytes) {
        count_error(bench, "bytes.unexpected", 1);
    } else {
        int64_t time_us = now_us() - slot->start_us;
        bench->times_us[bench->ok++] = time_us > UINT32_MAX ? UINT32_MAX : (uint32_t)time_us;
    }
}

static void take(struct bench *bench, const struct fetchd_event *event)
{
    struct slot *slot = event->user;
    if (event->type == FETCHD_EVENT_DATA) {
        slot->bytes += event->size;
    } else if (event->type == FETCHD_EVENT_RESPONSE) {
        slot->status = event->response->status;
    } else if (event->type == FETCHD_EVENT_DONE) {
        bench->ended++;
        judge(bench, slot, event->error);
        fetchd_release(event->request);
        start(bench, slot);
    }
}

static void run(struct bench *bench)
{
    size_t connections = (size_t)bench->options->connections;
    const struct fetchd_event *event;
    for (size_t i = 0; i < bench->options->concurrency; i++)
        start(bench, &bench->slots[i]);
    for (size_t i = 0; i < connections; i++)
        fetchd_process(bench->clients[i]);
    while (bench->ended < bench->options->requests) {
        attend_clients(bench->clients, connections, bench->ready);
        for (size_t i = 0; i < connections; i++) {
            if (!bench->ready[i])
                continue;
            fetchd_process(bench->clients[i]);
            while ((event = fetchd_next_event(bench->clients[i])))
                take(bench, event);
        }
    }
}

/* ---- the result ---- */

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static double percentile_ms(const struct bench *bench, unsigned percent)
{
    if (bench->ok == 0)
        return 0;
    uint64_t rank = (bench->ok * percent + 99) / 100;
    return (double)bench->times_us[rank > 0 ? rank - 1 : 0] / 1000;
}

static void print_json(const struct bench *bench, double wall_s)
{
    struct text out = { 0 };
    json_begin_object(&out);
    json_name(&out, "ok");
    json_uint(&out, bench->ok);
    json_name(&out, "errors");
    json_uint(&out, bench->ended - bench->ok);
    json_name(&out, "error_kinds");
    json_begin_object(&out);
    for (size_t i = 0; i < bench->kind_count; i++) {
        json_name(&out, bench->kinds[i].name);
        json_uint(&out, bench->kinds[i].count);
    }
    json_end_object(&out);
    json_name(&out, "wall_s");
    json_number(&out, wall_s, 6);
    json_name(&out, "req_per_s");
    json_number(&out, wall_s > 0 ? (double)bench->ended / wall_s : 0, 1);
    json_name(&out, "p50_ms");
    json_number(&out, percentile_ms(bench, 50), 3);
    json_name(&out, "p99_ms");
    json_number(&out, percentile_ms(bench, 99), 3);
    json_name(&out, "bytes");
    json_uint(&out, bench->bytes);
    json_end_object(&out);
    puts(out.data ? out.data : "");
    text_finish(&out);
}

static void print_lines(const struct bench *bench, double wall_s)
{
    printf("ok         %" PRIu64 "\nerrors     %" PRIu64 "\n", bench->ok, bench->ended - bench->ok);
    for (size_t i = 0; i < bench->kind_count; i++)
        printf("           %" PRIu64 " %s\n", bench->kinds[i].count, bench->kinds[i].name);
    printf("time       %.3f s\nrequests   %.1f a second\n", wall_s,
           wall_s > 0 ? (double)bench->ended / wall_s : 0);
    printf("latency    %.3f ms half, %.3f ms 99 %%\nbytes      %" PRIu64 "\n", percentile_ms(bench, 50),
           percentile_ms(bench, 99), bench->bytes);
}

/* ---- before and after ---- */

static int check(const struct options *options)
{
    static const char *const wrong[] = {
        "bench needs one URL", "--requests must be 1 to 100000000", "--concurrency must be 1 to 1000000",
        "--connections must be 1 to " TEXT(MOST_CONNECTIONS) " and not above --concurrency",
    };
    const bool right[] = {
        options->words.count == 1,
        options->requests > 0 && options->requests <= MOST_REQUESTS,
        options->concurrency > 0 && options->concurrency <= MOST_AT_ONCE,
        options->connections > 0 && options->connections <= MOST_CONNECTIONS
            && options->connections <= options->concurrency,
    };
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        if (right[i])
            continue;
        say("%s", wrong[i]);
        return EXIT_USAGE;
    }
    return 0;
}

static int connect_all(struct bench *bench)
{
    size_t connections = (size_t)bench->options->connections;
    bench->clients = must_allocate(connections, sizeof(struct fetchd_client *));
    bench->ready = must_allocate(connections, sizeof *bench->ready);
    for (size_t i = 0; i < connections; i++) {
        bench->clients[i] = fetchd_open(NULL);
        if (fetchd_connect(bench->clients[i], CONNECT_MS) < 0) {
            const struct fetchd_error *error = fetchd_last_error(bench->clients[i]);
            say("(%d) %s: %s", error->exit_code, error->name, error->message);
            return error->exit_code;
        }
    }
    return 0;
}

static int prepare(struct bench *bench)
{
    const struct options *options = bench->options;
    int code = check(options);
    if (code == 0)
        code = recipe_init(&bench->recipe, options);
    if (code == 0)
        code = connect_all(bench);
    if (code != 0)
        return code;
    bench->recipe.options.url = options->words.items[0];
    bench->recipe.options.body = options->data.data;
    bench->recipe.options.body_size = options->data.length;
    bench->slots = must_allocate((size_t)options->concurrency, sizeof *bench->slots);
    bench->times_us = must_allocate((size_t)options->requests, sizeof *bench->times_us);
    for (size_t i = 0; i < options->concurrency; i++)
        bench->slots[i].client = bench->clients[i % options->connections];
    return 0;
}

static void finish(struct bench *bench)
{
    for (size_t i = 0; bench->clients && i < bench->options->connections; i++)
        fetchd_close(bench->clients[i]);
    free(bench->clients);
    free(bench->ready);
    free(bench->slots);
    free(bench->times_us);
    recipe_finish(&bench->recipe);
}

int bench_run(const struct options *options)
{
    struct bench bench = { .options = options };
    int code = prepare(&bench);
    if (code == 0) {
        int64_t start_us = now_us();
        run(&bench);
        double wall_s = (double)(now_us() - start_us) / 1e6;
        qsort(bench.times_us, (size_t)bench.ok, sizeof *bench.times_us, compare);
        if (options->as_json)
            print_json(&bench, wall_s);
        else
            print_lines(&bench, wall_s);
        code = bench.code;
    }
    finish(&bench);
    return code;
}
