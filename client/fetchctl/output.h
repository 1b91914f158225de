/* Where a body goes: stdout, or a file that is made when the first byte (or the end) is there. A body
 * that is cut short leaves what came in the file, as curl does; the exit code tells. */
#ifndef FETCHCTL_OUTPUT_H
#define FETCHCTL_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct output {
    char *path;                /* NULL: stdout */
    FILE *file;
    bool create_dirs;
    bool append;               /* go on behind what is there */
    bool may_be_binary;        /* stdout was asked for by -o - */
    uint64_t written;
};

/* `path` NULL is stdout that was not asked for, "-" stdout that was. */
void output_init(struct output *output, const char *path, bool create_dirs);

/* The file name of a URL for -O; NULL when it has none. Free it. */
char *output_name_of(const char *url);

/* The size of the file now, 0 when there is none. */
uint64_t output_size(const struct output *output);

/* The descriptor of the file, made now; -1 when it is none that another process could write alone (stdout,
 * something was written already, not a regular file), or the reason was already said. */
int output_descriptor(struct output *output);

/* 0, or -1, the reason already said. */
int output_write(struct output *output, const void *data, size_t size);

/* Makes the file if there was nothing to write, and closes it. 0, or -1, the reason already said. */
int output_end(struct output *output, bool make_empty);

bool output_is_terminal(const struct output *output);

#endif
