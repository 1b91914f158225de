/* Lines of a descriptor. */
#include "input.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

bool input_wants(const struct input *input)
{
    return !input->ended && input->end - input->start < INPUT_BYTES;
}

int input_read(struct input *input, int fd)
{
    if (input->start > 0) {
        memmove(input->bytes, input->bytes + input->start, input->end - input->start);
        input->end -= input->start;
        input->start = 0;
    }
    ssize_t got = read(fd, input->bytes + input->end, INPUT_BYTES - input->end);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (got <= 0) {
        input->ended = true;
        return (int)got;
    }
    input->end += (size_t)got;
    return 0;
}

bool input_line(const struct input *input, const char **ret_data, size_t *ret_size, bool *ret_more)
{
    const char *start = input->bytes + input->start;
    size_t size = input->end - input->start;
    const char *end = memchr(start, '\n', size);
    *ret_data = start;
    *ret_size = end ? (size_t)(end - start) : size;
    *ret_more = !end && !input->ended;
    if (end)
        return true;
    return input->ended ? size > 0 || input->in_line : size == INPUT_BYTES;
}

void input_take(struct input *input, size_t size, bool whole)
{
    input->start += size;
    input->in_line = !whole && (input->in_line || size > 0);
    if (whole && input->start < input->end)
        input->start++;   /* the line end */
}

bool input_is_over(const struct input *input)
{
    return input->ended && input->start == input->end && !input->in_line;
}
