/* ETags in files. */
#include "etag.h"

#include "file.h"
#include "memory.h"
#include "say.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

char *etag_read(const char *path)
{
    struct text text = { 0 };
    int result = file_read(path, &text);
    if (result < 0 && errno != ENOENT) {
        say("can't read %s: %s", path, strerror(errno));
        text_finish(&text);
        return NULL;
    }
    size_t length = text.data ? strcspn(text.data, "\r\n") : 0;
    char *etag = length > 0 ? must_copy_bytes(text.data, length) : must_copy("\"\"");
    text_finish(&text);
    return etag;
}

int etag_write(const char *path, const char *etag)
{
    FILE *file = fopen(path, "we");
    bool written = file && fprintf(file, "%s\n", etag) >= 0;
    if (file && fclose(file) != 0)
        written = false;
    if (!written)
        say("can't write %s: %s", path, strerror(errno));
    return written ? 0 : -1;
}
