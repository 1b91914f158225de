/* The live view. */
#include "top.h"

#include "attend.h"
#include "say.h"
#include "screen.h"
#include "table.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS 3000
#define LEAST_INTERVAL_MS 100
#define MOST_INTERVAL_MS 3600000

/* ---- the view ---- */

/* A counter's growth a second; one that began anew counts from 0. */
static double rate(const struct value *before, const struct value *now, const char *name, double seconds)
{
    uint64_t old = value_number(before, name), new = value_number(now, name);
    if (!before || seconds <= 0)
        return 0;
    return (double)(new >= old ? new - old : new) / seconds;
}

static const struct value *find(const struct value *list, const char *key, const struct value *like)
{
    const struct value *wanted = value_get(like, key);
    for (const struct value *item = list ? list->first : NULL; item && wanted; item = item->next) {
        const struct value *its = value_get(item, key);
        if (its && its->source_length == wanted->source_length
            && memcmp(its->source, wanted->source, its->source_length) == 0)
            return item;
    }
    return NULL;
}

static void print_head(struct text *out, const struct value *before, const struct value *now, double seconds)
{
    char uptime[TABLE_VALUE_BYTES], rss[TABLE_VALUE_BYTES];
    text_addf(out, "%s  %s for %s  pid %" PRIu64 "  %s  %" PRIu64 " clients\n", value_text(now, "server"),
              value_text(now, "state"), table_ms(uptime, value_number(now, "uptime_ms")),
              value_number(now, "pid"), table_bytes(rss, value_number(now, "rss_bytes")), value_number(now, "sessions"));
    text_addf(out, "requests/s %.1f  done/s %.1f  failed/s %.1f  retries/s %.1f\n",
              rate(before, now, "accepted", seconds), rate(before, now, "succeeded", seconds),
              rate(before, now, "failed", seconds), rate(before, now, "retries", seconds));
    text_addf(out, "in flight %" PRIu64 "  queued %" PRIu64 "  accepted %" PRIu64 "  failed %" PRIu64 "\n",
              value_number(now, "in_flight"), value_number(now, "queued"), value_number(now, "accepted"),
              value_number(now, "failed"));
}

static void add_all(struct table *table, const char *const *cells, size_t count)
{
    for (size_t i = 0; i < count; i++)
        table_add(table, cells[i]);
}

static void print_workers(struct text *out, const struct value *before, const struct value *now,
                          double seconds)
{
    static const char *const headings[] = { "worker", "state", "requests/s", "failed/s", "in flight",
                                            "connections", "memory", "fds", "TLS/s", "TLS failures",
                                            "restarts" };
    const size_t columns = sizeof headings / sizeof headings[0];
    const struct value *workers = value_get(now, "workers"), *old = value_get(before, "workers");
    struct table table;
    char value[TABLE_VALUE_BYTES];
    table_init(&table, columns, 1u << 1);
    add_all(&table, headings, columns);
    for (const struct value *worker = workers ? workers->first : NULL; worker; worker = worker->next) {
        const struct value *last = find(old, "worker", worker);
        table_add_number(&table, value_number(worker, "worker"));
        table_add(&table, value_text(worker, "state"));
        table_addf(&table, "%.1f", rate(last, worker, "served", seconds));
        table_addf(&table, "%.1f", rate(last, worker, "failed", seconds));
        table_add_number(&table, value_number(worker, "in_flight"));
        table_add_number(&table, value_number(worker, "connections"));
        table_add(&table, table_bytes(value, value_number(worker, "rss_bytes")));
        table_add_number(&table, value_number(worker, "open_fds"));
        table_addf(&table, "%.1f", rate(last, worker, "tls_handshakes", seconds));
        table_add_number(&table, value_number(worker, "tls_failures"));
        table_add_number(&table, value_number(worker, "restarts"));
    }
    table_print(&table, out);
    table_finish(&table);
}

static void print_origins(struct text *out, const struct value *before, const struct value *now,
                          double seconds)
{
    static const char *const headings[] = { "origin", "requests/s", "failed/s", "open", "active", "TLS/s",
                                            "TLS failures", "breaker" };
    const size_t columns = sizeof headings / sizeof headings[0];
    const struct value *origins = value_get(now, "origins"), *old = value_get(before, "origins");
    struct table table;
    if (!origins || !origins->first)
        return;
    text_add_char(out, '\n');
    table_init(&table, columns, 1u << 0 | 1u << 7);
    add_all(&table, headings, columns);
    for (const struct value *origin = origins->first; origin; origin = origin->next) {
        const struct value *last = find(old, "origin", origin);
        table_add(&table, value_text(origin, "origin"));
        table_addf(&table, "%.1f", rate(last, origin, "attempts", seconds));
        table_addf(&table, "%.1f", rate(last, origin, "failed", seconds));
        table_add_number(&table, value_number(origin, "open"));
        table_add_number(&table, value_number(origin, "active"));
        table_addf(&table, "%.1f", rate(last, origin, "tls_handshakes", seconds));
        table_add_number(&table, value_number(origin, "tls_failures"));
        table_add(&table, value_text(origin, "breaker"));
    }
    table_print(&table, out);
    table_finish(&table);
}

void top_print(struct text *out, const struct value *before, const struct value *now, double seconds)
{
    print_head(out, before, now, seconds);
    text_add_char(out, '\n');
    print_workers(out, before, now, seconds);
    print_origins(out, before, now, seconds);
}

/* ---- looking ---- */

struct look {
    char *json;
    struct value *status;
    double at_seconds;
};

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void look_finish(struct look *look)
{
    value_free(look->status);
    fetchd_free(look->json);
    *look = (struct look){ 0 };
}

/* 0, or the exit code. */
static int look_at(struct fetchd_client *client, struct look *look)
{
    look->json = fetchd_status_json(client, ANSWER_MS);
    look->at_seconds = now_seconds();
    look->status = look->json ? value_read(look->json) : NULL;
    if (look->status)
        return 0;
    return look->json ? EXIT_USAGE : fetchd_last_error(client)->exit_code;
}

/* What is seen now, also when that is no daemon. The newer look takes the older one's place. */
static void view(struct fetchd_client *client, struct look *before, struct text *out)
{
    struct look now = { 0 };
    text_reset(out);
    if (look_at(client, &now) == 0)
        top_print(out, before->status, now.status, now.at_seconds - before->at_seconds);
    else
        text_addf(out, "no answer: %s\n", fetchd_last_error(client)->message);
    text_add_string(out, "\nq quits");
    look_finish(before);
    *before = now;
}

static int watch(struct fetchd_client *client, int interval_ms)
{
    struct look before = { 0 };
    struct text out = { 0 };
    enum screen_key key;
    int code = look_at(client, &before);
    if (code != 0 || screen_enter() < 0) {
        say("(%d) %s", code, code ? fetchd_last_error(client)->message : strerror(errno));
        look_finish(&before);
        return code ? code : EXIT_READ;
    }
    screen_draw("looking...");
    while ((key = screen_wait(interval_ms)) != SCREEN_QUIT) {
        if (key == SCREEN_TIME)
            view(client, &before, &out);
        screen_draw(out.data ? out.data : "looking...");
    }
    screen_leave();
    text_finish(&out);
    look_finish(&before);
    return 0;
}

/* Two looks make one picture with rates. */
static int snap(struct fetchd_client *client, int interval_ms)
{
    struct look before = { 0 }, now = { 0 };
    struct text out = { 0 };
    int code = look_at(client, &before);
    if (code == 0)
        attend_time(interval_ms);
    if (code == 0)
        code = look_at(client, &now);
    if (code == 0)
        top_print(&out, before.status, now.status, now.at_seconds - before.at_seconds);
    else
        say("(%d) %s", code, fetchd_last_error(client)->message);
    if (out.data && (fputs(out.data, stdout) < 0 || fflush(stdout) != 0))
        code = EXIT_WRITE;
    text_finish(&out);
    look_finish(&before);
    look_finish(&now);
    return code;
}

int top_run(struct fetchd_client *client, const struct options *options)
{
    if (options->words.count > 0) {
        say("'%s' is too much: this command takes no arguments", options->words.items[0]);
        return EXIT_USAGE;
    }
    if (options->interval_ms < LEAST_INTERVAL_MS || options->interval_ms > MOST_INTERVAL_MS) {
        say("--interval: from 0.1 seconds to an hour");
        return EXIT_USAGE;
    }
    bool is_live = isatty(STDOUT_FILENO);
    return is_live ? watch(client, (int)options->interval_ms) : snap(client, (int)options->interval_ms);
}
