/* Parts of a form. */
#include "formdata.h"

#include "fetchd/client.h"
#include "opening.h"
#include "text.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

int formdata_boundary(char *ret_boundary)
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    unsigned char random[22];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return -1;
    memset(ret_boundary, '-', 24);
    for (size_t i = 0; i < sizeof random; i++)
        ret_boundary[24 + i] = letters[random[i] % (sizeof letters - 1)];
    ret_boundary[24 + sizeof random] = '\0';
    return 0;
}

/* As browsers and curl write a name: quotes and line ends by their codes. */
static void add_quoted(struct text *out, const char *text)
{
    text_add_char(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\r' || *text == '\n')
            text_addf(out, "%%%02X", (unsigned)*text);
        else
            text_add_char(out, *text);
    }
    text_add_char(out, '"');
}

static const char *guess_type(const char *path)
{
    static const struct { const char *ending, *type; } types[] = {
        { ".gif", "image/gif" }, { ".jpg", "image/jpeg" }, { ".jpeg", "image/jpeg" },
        { ".png", "image/png" }, { ".svg", "image/svg+xml" }, { ".txt", "text/plain" },
        { ".htm", "text/html" }, { ".html", "text/html" }, { ".pdf", "application/pdf" },
        { ".xml", "application/xml" },
    };
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof types[0]; i++)
        if (strcasecmp(dot, types[i].ending) == 0)
            return types[i].type;
    return "application/octet-stream";
}

static const char *base_name(const char *path)
{
    const char *name = path;
    while ((path = strpbrk(path, OPENING_SLASHES)))
        name = ++path;
    return name;
}

static int add_text(struct body *body, struct text *text)
{
    errno = ENOMEM;
    int result = text->failed ? -1 : body_add_memory(body, text->data, text->length);
    text_finish(text);
    return result;
}

static int add_head(struct body *body, const struct fetchd_part *part, const char *boundary)
{
    struct text head = { 0 };
    const char *filename = part->filename ? part->filename : part->path ? base_name(part->path) : NULL;
    const char *type = part->type ? part->type : part->path ? guess_type(filename) : NULL;
    text_addf(&head, "--%s\r\nContent-Disposition: form-data; name=", boundary);
    add_quoted(&head, part->name);
    if (filename) {
        text_add_string(&head, "; filename=");
        add_quoted(&head, filename);
    }
    if (type)
        text_addf(&head, "\r\nContent-Type: %.*s", (int)strcspn(type, "\r\n"), type);
    text_add_string(&head, "\r\n\r\n");
    return add_text(body, &head);
}

int formdata_add(struct body *body, const struct fetchd_part *part, const char *boundary)
{
    if (add_head(body, part, boundary) < 0)
        return -1;
    int result = part->path ? body_add_file(body, part->path) : body_add_memory(body, part->data, part->size);
    return result < 0 ? -1 : body_add_memory(body, "\r\n", 2);
}

int formdata_end(struct body *body, const char *boundary)
{
    struct text end = { 0 };
    text_addf(&end, "--%s--\r\n", boundary);
    return add_text(body, &end);
}
