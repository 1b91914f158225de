/* A curl_slist in one allocation. */
#include "lines.h"

#include "blank.h"
#include "check.h"
#include "cookieline.h"
#include "ipc/secret.h"

#include <curl/curl.h>
#include <string.h>

#define ADDED_MAX 3   /* lines of our own behind the client's */

/* What the client's headers make needless. */
struct given { bool accept_encoding, content_type, expect, host, no_cookie; };

static struct given look(const struct ipc_fetch *fetch)
{
    struct given given = { .host = false };
    for (size_t i = 0; i < fetch->headers.count; i++) {
        struct ipc_bytes name = fetch->headers.items[i].name;
        given.accept_encoding = given.accept_encoding || check_name_is(name, "accept-encoding");
        given.content_type = given.content_type || check_name_is(name, "content-type");
        given.expect = given.expect || check_name_is(name, "expect");
        given.host = given.host || check_name_is(name, "host");
        given.no_cookie = given.no_cookie
            || (check_name_is(name, "cookie") && !fetch->headers.items[i].value.data);
    }
    return given;
}

static bool has_body(const struct ipc_fetch *fetch)
{
    return fetch->body.length > 0 || fetch->body_streamed;
}

/* libcurl decides, unless there is nothing to decide for: an inline body is below its threshold. */
static bool may_expect(const struct ipc_fetch *fetch)
{
    return fetch->body_streamed && fetch->expect_timeout_ms > 0;
}

static size_t list_added(const struct ipc_fetch *fetch, const struct given *given, const char **ret_added)
{
    size_t count = 0;
    if (fetch->compressed && !given->accept_encoding)
        ret_added[count++] = "Accept-Encoding: gzip, br, zstd";
    if (has_body(fetch) || check_means_body(fetch->method)) {
        if (!given->expect && !may_expect(fetch))
            ret_added[count++] = "Expect:";       /* none: no waiting for a 100 that never comes */
        if (!given->content_type)
            ret_added[count++] = "Content-Type:"; /* none, instead of libcurl's guess that it is a form */
    }
    return count;
}

static bool is_expect(struct ipc_pair header)
{
    return check_name_is(header.name, "expect");
}

bool lines_expect(const struct ipc_fetch *fetch)
{
    for (size_t i = 0; i < fetch->headers.count; i++)
        if (is_expect(fetch->headers.items[i]))
            return has_body(fetch) && fetch->headers.items[i].value.data;
    return may_expect(fetch);
}

void lines_forget_expect(struct ipc_fetch *fetch)
{
    /* The array is in the fetch's own block. */
    struct ipc_pair *items = (struct ipc_pair *)(uintptr_t)fetch->headers.items;
    size_t kept = 0;
    for (size_t i = 0; i < fetch->headers.count; i++)
        if (!is_expect(items[i]))
            items[kept++] = items[i];
    fetch->headers.count = kept;
    fetch->expect_timeout_ms = 0;
}

/* "Name: value"; "Name;", which is how libcurl is told to send an empty one; "Name:" for one that is left
 * out, also when libcurl has one of its own. */
static char *write_line(char *at, struct ipc_pair header)
{
    struct ipc_bytes value = blank_trim(header.value);
    memcpy(at, header.name.data, header.name.length);
    at += header.name.length;
    *at++ = value.length > 0 || !header.value.data ? ':' : ';';
    if (value.length > 0) {
        *at++ = ' ';
        memcpy(at, value.data, value.length);
        at += value.length;
    }
    *at++ = '\0';
    return at;
}

/* Lines with their nodes, as they are written. */
struct writing { struct curl_slist *nodes; size_t count; char *text; };

static void link_line(struct writing *writing, const char *line)
{
    struct curl_slist *node = &writing->nodes[writing->count++];
    node->data = (char *)(uintptr_t)line;   /* libcurl's struct has no const; it does not write there */
    node->next = node + 1;
}

static void write_cookies(struct writing *writing, const struct ipc_fetch *fetch)
{
    link_line(writing, writing->text);
    writing->text = cookieline_write(writing->text, fetch);
}

/* The client's lines in their order; its Cookie is joined by the session's, which else come last. */
static void write_headers(struct writing *writing, const struct ipc_fetch *fetch, bool has_cookies)
{
    bool written = !has_cookies;
    for (size_t i = 0; i < fetch->headers.count; i++) {
        bool joins = has_cookies && check_name_is(fetch->headers.items[i].name, "cookie");
        if (joins && !written)
            write_cookies(writing, fetch);
        written = written || joins;
        if (joins)
            continue;
        link_line(writing, writing->text);
        writing->text = write_line(writing->text, fetch->headers.items[i]);
    }
    if (!written)
        write_cookies(writing, fetch);
}

static size_t write_all(struct writing *writing, const struct ipc_fetch *fetch, const struct given *given,
                        bool has_cookies)
{
    const char *added[ADDED_MAX];
    size_t added_count = list_added(fetch, given, added);
    /* libcurl's own, which comes first, is left out: so the client's stays where it stands. */
    if (given->host)
        link_line(writing, "Host:");
    write_headers(writing, fetch, has_cookies);
    for (size_t i = 0; i < added_count; i++)
        link_line(writing, added[i]);
    if (writing->count > 0)
        writing->nodes[writing->count - 1].next = NULL;
    return writing->count;
}

int lines_create(const struct ipc_fetch *fetch, struct curl_slist **ret_lines)
{
    struct given given = look(fetch);
    size_t most = fetch->headers.count + ADDED_MAX + 2, bytes = given.no_cookie ? 0 : cookieline_bytes(fetch);
    bool has_cookies = bytes > 0;
    for (size_t i = 0; i < fetch->headers.count; i++)
        bytes += fetch->headers.items[i].name.length + fetch->headers.items[i].value.length + 3;
    *ret_lines = NULL;
    struct curl_slist *nodes = ipc_secret_alloc(most * sizeof *nodes + bytes);
    if (!nodes)
        return -1;
    struct writing writing = { nodes, 0, (char *)(nodes + most) };
    if (write_all(&writing, fetch, &given, has_cookies) > 0)
        *ret_lines = nodes;
    else
        ipc_secret_free(nodes);
    return 0;
}
