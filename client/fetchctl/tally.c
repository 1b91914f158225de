/* Counts, drawn and summed up. */
#include "tally.h"

#include "client/text.h"
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define REDRAW_MS 100

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void tally_start(struct tally *tally, bool draws)
{
    tally->draws = draws;
    tally->start_ms = now_ms();
}

void tally_add_bytes(struct tally *tally, size_t bytes)
{
    tally->bytes += bytes;
}

/* More kinds than there is room for count as the last one. */
static void add_kind(struct tally *tally, const char *name)
{
    size_t i = 0;
    while (i < tally->kind_count && strcmp(tally->kinds[i].name, name) != 0)
        i++;
    if (i == TALLY_KINDS)
        i--;
    else if (i == tally->kind_count)
        snprintf(tally->kinds[tally->kind_count++].name, sizeof tally->kinds[0].name, "%s", name);
    tally->kinds[i].count++;
}

void tally_add(struct tally *tally, unsigned status, const char *error_name)
{
    if (error_name) {
        tally->failed++;
        add_kind(tally, error_name);
    } else {
        tally->answered++;
        tally->by_class[status < 600 ? status / 100 : 0]++;
    }
}

static void clear(struct tally *tally)
{
    if (tally->drawn)
        fputs("\r\033[K", stderr);
    tally->drawn = false;
}

void tally_draw(struct tally *tally, size_t in_flight)
{
    char bytes[32], speed[32], line[256];
    int64_t now = now_ms(), ms = now - tally->start_ms;
    uint64_t done = tally->answered + tally->failed + tally->skipped;
    if (!tally->draws || now - tally->drawn_ms < REDRAW_MS)
        return;
    tally->drawn_ms = now;
    progress_write_bytes(bytes, sizeof bytes, (double)tally->bytes);
    progress_write_bytes(speed, sizeof speed,
                         (double)tally->bytes * 1000 / (double)(ms > 0 ? ms : 1));
    int length = snprintf(line, sizeof line, "%" PRIu64, done);
    if (tally->total > 0)
        length += snprintf(line + length, sizeof line - (size_t)length, "/%" PRIu64, tally->total);
    snprintf(line + length, sizeof line - (size_t)length,
             " done, %" PRIu64 " failed, %zu in flight  %s  %s/s  %" PRId64 ":%02" PRId64,
             tally->failed, in_flight, bytes, speed, ms / 60000, ms / 1000 % 60);
    fprintf(stderr, "\r\033[K%.*s", progress_columns() - 1, line);
    fflush(stderr);
    tally->drawn = true;
}

static void add_kinds(const struct tally *tally, struct text *out)
{
    static const char *const classes[] = { "without a status", "1xx", "2xx", "3xx", "4xx", "5xx" };
    const char *before = "answered (";
    text_addf(out, "%" PRIu64 " ", tally->answered);
    for (size_t i = 0; i < 6; i++) {
        if (tally->by_class[i] == 0)
            continue;
        text_addf(out, "%s%" PRIu64 " %s", before, tally->by_class[i], classes[i]);
        before = ", ";
    }
    text_add_string(out, tally->answered > 0 ? ")" : "answered");
    if (tally->failed == 0)
        return;
    text_addf(out, ", %" PRIu64 " failed (", tally->failed);
    for (size_t i = 0; i < tally->kind_count; i++)
        text_addf(out, "%s%" PRIu64 " %s", i > 0 ? ", " : "", tally->kinds[i].count,
                  tally->kinds[i].name);
    text_add_char(out, ')');
}

void tally_summarize(struct tally *tally, const char *how)
{
    struct text out = { 0 };
    char bytes[32];
    int64_t ms = now_ms() - tally->start_ms;
    clear(tally);
    add_kinds(tally, &out);
    if (tally->skipped > 0)
        text_addf(&out, ", %" PRIu64 " answered before", tally->skipped);
    progress_write_bytes(bytes, sizeof bytes, (double)tally->bytes);
    fprintf(stderr, "fetchctl: %s%s; %s in %" PRId64 ".%" PRId64 " s\n", how,
            out.data ? out.data : "", bytes, ms / 1000, ms / 100 % 10);
    text_finish(&out);
}
