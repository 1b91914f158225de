/* How far a batch is: a line on a terminal while it runs, and a summary at its end. */
#ifndef FETCHCTL_TALLY_H
#define FETCHCTL_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TALLY_KINDS 64

struct tally {
    uint64_t total; /* in the list; 0: not known */
    uint64_t answered, failed, skipped, bytes;
    uint64_t by_class[6]; /* 1xx to 5xx, and 0 for what has no status */
    struct {
        char name[64];
        uint64_t count;
    } kinds[TALLY_KINDS];
    size_t kind_count;
    int64_t start_ms, drawn_ms;
    bool draws, drawn;
};

void tally_start(struct tally *tally, bool draws);
void tally_add_bytes(struct tally *tally, size_t bytes);

/* One is done: `error_name` NULL when it was answered. */
void tally_add(struct tally *tally, unsigned status, const char *error_name);

/* Draws, if it is time; often. */
void tally_draw(struct tally *tally, size_t in_flight);

/* What came of it, on stderr. */
void tally_summarize(struct tally *tally, const char *how);

#endif
