/* The progress bar. */
#include "progress.h"

#include "window.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REDRAW_MS 100

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void progress_start(struct progress *progress, bool on, uint64_t start_bytes)
{
    *progress = (struct progress){ .on = on, .start_bytes = start_bytes, .now_bytes = start_bytes,
                                   .start_ms = now_ms() };
}

void progress_set_total(struct progress *progress, uint64_t total_bytes)
{
    progress->total_bytes = total_bytes;
}

int progress_columns(void)
{
    unsigned columns, rows;
    return window_size(STDERR_FILENO, &columns, &rows) && columns > 20 ? (int)columns : 80;
}

void progress_write_bytes(char *out, size_t size, double bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    size_t unit = 0;
    for (; bytes >= 1024 && unit < 4; unit++)
        bytes /= 1024;
    snprintf(out, size, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

static void draw_bar(const struct progress *progress, int width)
{
    double part = (double)progress->now_bytes / (double)progress->total_bytes;
    int filled = part >= 1 ? width : (int)(part * width);
    fprintf(stderr, "%3d%% [", part >= 1 ? 100 : (int)(part * 100));
    for (int i = 0; i < width; i++)
        putc(i < filled ? '=' : i == filled ? '>' : ' ', stderr);
    fputs("] ", stderr);
}

static void draw(struct progress *progress)
{
    char bytes[32], speed[32], text[80];
    int64_t ms = now_ms() - progress->start_ms;
    progress_write_bytes(bytes, sizeof bytes, (double)progress->now_bytes);
    progress_write_bytes(speed, sizeof speed,
                (double)(progress->now_bytes - progress->start_bytes) * 1000 / (double)(ms > 0 ? ms : 1));
    int length = snprintf(text, sizeof text, "%s  %s/s  %lld:%02lld", bytes, speed, (long long)(ms / 60000),
                          (long long)(ms / 1000 % 60));
    int width = progress_columns() - length - 9;
    fputs("\r\033[K", stderr);
    if (progress->total_bytes > 0 && width >= 8)
        draw_bar(progress, width < 50 ? width : 50);
    fputs(text, stderr);
    fflush(stderr);
    progress->drawn = true;
    progress->drawn_ms = now_ms();
}

void progress_add(struct progress *progress, uint64_t bytes)
{
    progress->now_bytes += bytes;
    if (progress->on && now_ms() - progress->drawn_ms >= REDRAW_MS)
        draw(progress);
}

void progress_set(struct progress *progress, uint64_t now_bytes)
{
    progress->now_bytes = now_bytes;
    progress_add(progress, 0);
}

void progress_end(struct progress *progress)
{
    if (!progress->on || !progress->drawn)
        return;
    draw(progress);
    putc('\n', stderr);
    progress->on = false;
}
