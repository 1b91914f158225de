/* -F name=value, name=@file, name=<file, each with ;type= and ;filename=. */
#include "multipart.h"

#include "client/formdata.h"
#include "file.h"
#include "memory.h"
#include "options.h"
#include "say.h"

#include <fetchd/client.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct part {
    char *name;
    char *content;             /* the value itself, or a path */
    char how;                  /* '=' a value, '@' a file, '<' a file's text */
    char *type, *filename;     /* NULL: not given */
};

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

static int add_part(struct body *body, const struct part *part, const char *boundary)
{
    bool whole = part->how == '<' || (part->how == '@' && strcmp(part->content, "-") == 0);   /* so that its length is known */
    struct fetchd_part given = { .name = part->name, .filename = part->filename, .type = part->type };
    struct text content = { 0 };
    int result = whole ? file_read(part->content, &content) : 0;
    if (part->how == '@' && !whole) {
        given.path = part->content;
    } else {
        given.data = whole ? content.data : part->content;
        given.size = whole ? content.length : strlen(part->content);
    }
    if (part->how == '@' && whole) {
        given.filename = part->filename ? part->filename : part->content;
        given.type = part->type ? part->type : "application/octet-stream";
    }
    if (result == 0)
        result = formdata_add(body, &given, boundary);
    text_finish(&content);
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
        if (code == 0)
            code = add_part(body, &part, boundary);
        finish_part(&part);
        if (code != 0)
            return code;
    }
    if (formdata_end(body, boundary) == 0)
        return 0;
    say("the form does not fit the memory");
    return EXIT_READ;
}
