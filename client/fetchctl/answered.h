/* What an earlier run has answered, read from its own output, so that it is not asked again. */
#ifndef FETCHCTL_ANSWERED_H
#define FETCHCTL_ANSWERED_H

#include "strings.h"

#include <stdbool.h>

struct answer;

struct answered {
    struct answer *by_key;
    size_t count;         /* lines that are answers */
    struct strings files; /* the names of theirs */
};

/* Reads the lines of `fd`, cuts off a last one that is half written, and leaves the descriptor at
 * the end. A line with an error that may pass is no answer. 0, or the exit code, the reason already
 * said; `path` is for that. */
int answered_read(struct answered *answered, int fd, const char *path);
void answered_finish(struct answered *answered);

/* True when an answer of this key is left; then there is one less, as a list may ask the same
 * twice. */
bool answered_take(struct answered *answered, const char *key);

#endif
