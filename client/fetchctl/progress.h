/* A bar on a terminal's stderr while a body goes to a file. */
#ifndef FETCHCTL_PROGRESS_H
#define FETCHCTL_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    bool on;
    bool drawn;
    uint64_t start_bytes;      /* there before, when a download is resumed */
    uint64_t now_bytes;
    uint64_t total_bytes;      /* 0: not known */
    int64_t start_ms, drawn_ms;
};

void progress_start(struct progress *progress, bool on, uint64_t start_bytes);
void progress_set_total(struct progress *progress, uint64_t total_bytes);
void progress_add(struct progress *progress, uint64_t bytes);
void progress_set(struct progress *progress, uint64_t now_bytes);

/* The last picture, and a new line. */
void progress_end(struct progress *progress);

/* Of the terminal on stderr. */
int progress_columns(void);

/* "2.9 MiB" */
void progress_write_bytes(char *out, size_t size, double bytes);

#endif
