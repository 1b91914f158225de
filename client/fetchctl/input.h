/* Lines of stdin as messages: whole ones, or pieces of one that is larger than the buffer. */
#ifndef FETCHCTL_INPUT_H
#define FETCHCTL_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#define INPUT_BYTES ((size_t)64 * 1024)

struct input {
    char bytes[INPUT_BYTES];
    size_t start, end;
    bool ended;                /* nothing more can be read */
    bool in_line;              /* the beginning of the line was taken already */
};

/* Reads once; what poll() said to be readable does not wait. 0, or -1 with errno. */
int input_read(struct input *input, int fd);

/* True when there is room to read. */
bool input_wants(const struct input *input);

/* What to send next: a line without its end, or with *ret_more a piece of a long one. False when
 * there is nothing yet. What follows the last line end counts as a line if there is any of it. */
bool input_line(const struct input *input, const char **ret_data, size_t *ret_size, bool *ret_more);

/* So many bytes of that were taken; `whole` when with them the line, and its end. */
void input_take(struct input *input, size_t size, bool whole);

/* All was read and taken. */
bool input_is_over(const struct input *input);

#endif
