/* A multipart form as a body, for applications. */
#include "fetchd/client.h"
#include "formdata.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define TYPE_BYTES (FORMDATA_BOUNDARY_BYTES + 32)

struct fetchd_form {
    struct body body;
    char type[TYPE_BYTES];
};

static int build(struct fetchd_form *form, const struct fetchd_part *parts, size_t count)
{
    char boundary[FORMDATA_BOUNDARY_BYTES];
    if (formdata_boundary(boundary) < 0)
        return -1;
    snprintf(form->type, sizeof form->type, "multipart/form-data; boundary=%s", boundary);
    for (size_t i = 0; i < count; i++)
        if (formdata_add(&form->body, &parts[i], boundary) < 0)
            return -1;
    return formdata_end(&form->body, boundary);
}

struct fetchd_form *fetchd_form_open(const struct fetchd_part *parts, size_t count)
{
    struct fetchd_form *form = calloc(1, sizeof *form);
    if (!form)
        return NULL;
    body_init(&form->body);
    if (build(form, parts, count) == 0)
        return form;
    int error = errno;
    fetchd_form_close(form);
    errno = error;
    return NULL;
}

void fetchd_form_close(struct fetchd_form *form)
{
    if (!form)
        return;
    body_finish(&form->body);
    free(form);
}

const char *fetchd_form_type(const struct fetchd_form *form)
{
    return form->type;
}

uint64_t fetchd_form_size(const struct fetchd_form *form)
{
    return form->body.length == UINT64_MAX ? 0 : form->body.length;
}

int64_t fetchd_form_read(struct fetchd_form *form, void *buffer, size_t size)
{
    return body_read(&form->body, buffer, size);
}

int fetchd_form_rewind(struct fetchd_form *form)
{
    return body_rewind(&form->body);
}
