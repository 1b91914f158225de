/* Lines as they come. */
#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int lines_open(struct lines *lines, const char *path)
{
    *lines = (struct lines){ .fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC) };
    return lines->fd < 0 ? -1 : 0;
}

void lines_close(struct lines *lines)
{
    if (lines->fd > STDIN_FILENO)
        close(lines->fd);
    text_finish(&lines->text);
}

/* Drops what was given out, so that a long list needs no more memory than its longest line. */
static void compact(struct lines *lines)
{
    struct text *text = &lines->text;
    if (lines->at == 0)
        return;
    memmove(text->data, text->data + lines->at, text->length - lines->at);
    text->length -= lines->at;
    lines->at = 0;
}

int lines_read(struct lines *lines)
{
    char buffer[16384];
    ssize_t got = read(lines->fd, buffer, sizeof buffer);
    if (got < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : -1;
    compact(lines);
    if (got == 0)
        lines->ended = true;
    text_add(&lines->text, buffer, (size_t)got);
    return lines->text.failed ? -1 : 0;
}

/* The next line's end as a NUL; false when it is not whole yet. The last line may lack its newline. */
static bool cut_line(struct lines *lines, char **ret_line)
{
    struct text *text = &lines->text;
    if (lines->at >= text->length)
        return false;
    char *line = text->data + lines->at;
    char *end = memchr(line, '\n', text->length - lines->at);
    if (!end && !lines->ended)
        return false;
    size_t length = end ? (size_t)(end - line) : text->length - lines->at;
    lines->at += length + (end ? 1 : 0);
    line[length] = '\0';
    *ret_line = line;
    return true;
}

char *lines_next(struct lines *lines)
{
    char *line;
    while (cut_line(lines, &line)) {
        line += strspn(line, " \t\r");
        size_t length = strlen(line);
        while (length > 0 && strchr(" \t\r", line[length - 1]))
            line[--length] = '\0';
        if (length > 0 && line[0] != '#')
            return line;
    }
    return NULL;
}
