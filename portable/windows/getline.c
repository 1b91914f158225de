#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int make_room(char **line, size_t *size, size_t wanted)
{
    if (*line && wanted <= *size)
        return 0;
    size_t room = wanted < 128 ? 128 : 2 * wanted;
    char *more = realloc(*line, room);
    if (!more) {
        errno = ENOMEM;
        return -1;
    }
    *line = more;
    *size = room;
    return 0;
}

ssize_t getline(char **line, size_t *size, FILE *file)
{
    size_t length = 0;
    int byte;
    do {
        byte = getc(file);
        if (byte == EOF && (length == 0 || ferror(file)))
            return -1;
        if (byte == EOF)
            break;
        if (make_room(line, size, length + 2) < 0)
            return -1;
        (*line)[length++] = (char)byte;
    } while (byte != '\n');
    (*line)[length] = '\0';
    return (ssize_t)length;
}
