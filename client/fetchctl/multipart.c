/* -F name=value, name=@file, name=<file, each with ;type= and ;filename=. */
#include "multipart.h"

#include "file.h"
#include "memory.h"
#include "options.h"
#include "say.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

struct part {
    char *name;
    char *content;             /* the value itself, or a path */
    char how;                  /* '=' a value, '@' a file, '<' a file's text */
    char *type, *filename;     /* NULL: not given */
};

int multipart_boundary(char *ret_boundary)
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

/* ---- reading -F ---- */

static void finish_part(struct part *part)
{
    free(part->name);
    free(part->content);
    free(part->type);
    free(part->filename);
}

/* One word up to a ; or the end, or "in quotes" with \" and \\. Moves *at behind it. */
static char *read_word(const char **at)
{
    const char *from = *at;
    if (*from != '"') {
        size_t length = strcspn(from, ";");
        *at = from + length;
        return must_copy_bytes(from, length);
    }
    char *word = must_copy(from + 1), *out = word;
    for (from++; *from && *from != '"'; from++) {
        if (*from == '\\' && (from[1] == '"' || from[1] == '\\'))
            from++;
        *out++ = *from;
    }
    *out = '\0';
    *at = *from ? from + 1 : from;
    return word;
}

static int refuse(const char *form, const char *why)
{
    say("-F '%s': %s", form, why);
    return EXIT_USAGE;
}

static int read_parameters(struct part *part, const char *form, const char *at)
{
    while (*at == ';') {
        at += 1 + strspn(at + 1, " ");
        char **place = strncasecmp(at, "type=", 5) == 0 ? &part->type
            : strncasecmp(at, "filename=", 9) == 0      ? &part->filename
                                                        : NULL;
        if (!place)
            return refuse(form, "only ;type= and ;filename= may follow; put a value with ; in quotes");
        at = strchr(at, '=') + 1;
        free(*place);
        *place = read_word(&at);
    }
    return *at ? refuse(form, "nothing may follow the quotes but ;type= and ;filename=") : 0;
}

static int read_part(struct part *part, const char *form)
{
    const char *equals = strchr(form, '=');
    if (!equals || equals == form)
        return refuse(form, "a part is written name=value, name=@file or name=<file");
    part->name = must_copy_bytes(form, (size_t)(equals - form));
    const char *at = equals + 1;
    part->how = *at == '@' || *at == '<' ? *at++ : '=';
    bool is_quoted = *at == '"';
    part->content = read_word(&at);
    if (part->how == '@' && !is_quoted && strchr(part->content, ','))
        return refuse(form,
                      "several files in one part are not supported; give one -F each, or quote the name");
    return read_parameters(part, form, at);
}

/* ---- writing ---- */

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
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void add_headers(struct body *body, const struct part *part, const char *boundary)
{
    struct text headers = { 0 };
    const char *filename = part->filename;
    if (!filename && part->how == '@')
        filename = base_name(part->content);
    const char *type = part->type ? part->type : part->how == '@' ? guess_type(filename) : NULL;
    text_addf(&headers, "--%s\r\nContent-Disposition: form-data; name=", boundary);
    add_quoted(&headers, part->name);
    if (filename) {
        text_add_string(&headers, "; filename=");
        add_quoted(&headers, filename);
    }
    if (type)
        text_addf(&headers, "\r\nContent-Type: %.*s", (int)strcspn(type, "\r\n"), type);
    text_add_string(&headers, "\r\n\r\n");
    body_add_memory(body, headers.data, headers.length);
    text_finish(&headers);
}

static int add_text_file(struct body *body, const char *path)
{
    struct text content = { 0 };
    int result = file_read(path, &content);
    if (result == 0)
        body_add_memory(body, content.data, content.length);
    text_finish(&content);
    return result;
}

static int add_content(struct body *body, const struct part *part)
{
    int result = 0;
    if (part->how == '=')
        body_add_memory(body, part->content, strlen(part->content));
    else if (part->how == '<' || strcmp(part->content, "-") == 0)
        result = add_text_file(body, part->content);   /* stdin as well, so that the length is known */
    else
        result = body_add_file(body, part->content);
    if (result == 0)
        return 0;
    say("can't read %s: %s", part->content, strerror(errno));
    return EXIT_READ;
}

int multipart_build(struct body *body, const struct strings *forms, const char *boundary)
{
    for (size_t i = 0; i < forms->count; i++) {
        struct part part = { 0 };
        int code = read_part(&part, forms->items[i]);
        if (code == 0) {
            add_headers(body, &part, boundary);
            code = add_content(body, &part);
        }
        finish_part(&part);
        if (code != 0)
            return code;
        body_add_memory(body, "\r\n", 2);
    }
    char *end = must_print("--%s--\r\n", boundary);
    body_add_memory(body, end, strlen(end));
    free(end);
    return 0;
}
