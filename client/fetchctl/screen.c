/* What is shown on the terminal. */
#include "screen_platform.h"

#include "client/text.h"
#include "window.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

static void put(const char *data, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, data, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        data += written;
        length -= (size_t)written;
    }
}

void screen_show(bool other)
{
    const char *sequence = other ? ENTER : LEAVE;
    put(sequence, strlen(sequence));
}

/* As many bytes of a line as fill so many columns: a character is one, whatever its bytes. */
static size_t cut(const char *line, size_t length, size_t columns)
{
    size_t used = 0, at = 0;
    for (; at < length; at++)
        if (((unsigned char)line[at] & 0xc0) != 0x80 && used++ == columns)
            break;
    return at;
}

void screen_draw(const char *text)
{
    unsigned columns = 80, rows = 24;
    struct text out = { 0 };
    window_size(STDOUT_FILENO, &columns, &rows);
    text_add_string(&out, "\033[H");
    for (unsigned row = 0; row < rows && *text; row++) {
        size_t length = strcspn(text, "\n");
        if (row > 0)
            text_add_string(&out, "\r\n");
        text_add(&out, text, cut(text, length, columns));
        text_add_string(&out, "\033[K");
        text += length + (text[length] == '\n');
    }
    text_add_string(&out, "\033[J");
    put(out.data, out.length);
    text_finish(&out);
}
