/* The rest of a file, appended. */
#include "resume.h"

#include "options.h"
#include "say.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define EXIT_BAD_RESUME 36

bool resume_is_possible(const char *url)
{
    return strncasecmp(url, "ftp://", 6) == 0 || strncasecmp(url, "ftps://", 7) == 0;
}

/* What is not there yet begins at 0. */
static int ask_size(struct fetchd_client *client, const struct fetchd_options *asked, uint64_t *ret_bytes)
{
    struct fetchd_options head = *asked;
    head.method = "HEAD";
    head.body = NULL;
    head.body_size = 0;
    head.body_streamed = head.rewindable = false;
    struct fetchd_reply *reply = fetchd_fetch(client, &head, -1);
    if (!reply) {
        const struct fetchd_error *error = fetchd_last_error(client);
        *ret_bytes = 0;
        if (strcmp(error->name, "ftp.not_found") == 0 || strcmp(error->name, "ftp.failed") == 0)
            return 0;
        say("(%d) %s: %s", error->exit_code, error->name, error->message);
        return error->exit_code;
    }
    const char *length = fetchd_find_header(reply->response, "content-length");
    if (length)
        *ret_bytes = strtoull(length, NULL, 10);
    else
        say("-C -: the server does not tell the file's size; give an offset");
    int code = length ? 0 : EXIT_BAD_RESUME;
    fetchd_reply_free(reply);
    return code;
}

static int find_offset(struct fetchd_client *client, const struct fetchd_options *asked,
                       const char *continue_at, uint64_t *ret_bytes)
{
    char *rest;
    if (strcmp(continue_at, "-") == 0)
        return ask_size(client, asked, ret_bytes);
    *ret_bytes = strtoull(continue_at, &rest, 10);
    if (!*rest && *continue_at >= '0' && *continue_at <= '9')
        return 0;
    say("-C: '%s' is neither an offset nor -", continue_at);
    return EXIT_USAGE;
}

int resume_upload(struct fetchd_client *client, struct fetchd_options *asked, const char *continue_at,
                  struct body *body, bool *ret_whole)
{
    uint64_t offset = 0, whole = body->length;
    int code = find_offset(client, asked, continue_at, &offset);
    if (code != 0)
        return code;
    if (body_begin_at(body, offset) < 0) {
        say("-C: the file has %" PRIu64 " bytes, the one there %" PRIu64, whole, offset);
        return EXIT_BAD_RESUME;
    }
    *ret_whole = offset > 0 && offset == whole;
    asked->method = offset > 0 ? "POST" : asked->method;
    asked->body = NULL;
    asked->body_size = 0;
    asked->body_streamed = asked->rewindable = true;
    asked->body_length = body->length - offset;
    return 0;
}
