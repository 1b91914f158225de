/* A curl_slist in one allocation. */
#include "lines.h"

#include "check.h"
#include "cookieline.h"
#include "ipc/secret.h"

#include <curl/curl.h>
#include <string.h>

#define ADDED_MAX 3   /* lines of our own */

/* What the client's headers make needless. */
struct given { bool accept_encoding, content_type; };

static struct given look(const struct ipc_fetch *fetch)
{
    struct given given = { false, false };
    for (size_t i = 0; i < fetch->headers.count; i++) {
        struct ipc_bytes name = fetch->headers.items[i].name;
        given.accept_encoding = given.accept_encoding || check_name_is(name, "accept-encoding");
        given.content_type = given.content_type || check_name_is(name, "content-type");
    }
    return given;
}

static size_t list_added(const struct ipc_fetch *fetch, const char **ret_added)
{
    struct given given = look(fetch);
    size_t count = 0;
    if (fetch->compressed && !given.accept_encoding)
        ret_added[count++] = "Accept-Encoding: gzip, br, zstd";
    if (fetch->body.length > 0 || fetch->body_streamed || check_means_body(fetch->method)) {
        ret_added[count++] = "Expect:";           /* none: no waiting for a 100 that never comes */
        if (!given.content_type)
            ret_added[count++] = "Content-Type:"; /* none, instead of libcurl's guess that it is a form */
    }
    return count;
}

static struct ipc_bytes trim(struct ipc_bytes value)
{
    while (value.length > 0 && (value.data[0] == ' ' || value.data[0] == '\t')) {
        value.data++;
        value.length--;
    }
    while (value.length > 0 && (value.data[value.length - 1] == ' ' || value.data[value.length - 1] == '\t'))
        value.length--;
    return value;
}

/* "Name: value", or "Name;", which is how libcurl is told to send an empty one. */
static char *write_line(char *at, struct ipc_pair header)
{
    struct ipc_bytes value = trim(header.value);
    memcpy(at, header.name.data, header.name.length);
    at += header.name.length;
    if (value.length == 0) {
        *at++ = ';';
    } else {
        *at++ = ':';
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

int lines_create(const struct ipc_fetch *fetch, struct curl_slist **ret_lines)
{
    const char *added[ADDED_MAX];
    size_t added_count = list_added(fetch, added), bytes = cookieline_bytes(fetch);
    bool has_cookies = bytes > 0;
    size_t most = fetch->headers.count + added_count + has_cookies;
    *ret_lines = NULL;
    if (most == 0)
        return 0;
    for (size_t i = 0; i < fetch->headers.count; i++)
        bytes += fetch->headers.items[i].name.length + fetch->headers.items[i].value.length + 3;
    struct curl_slist *nodes = ipc_secret_alloc(most * sizeof *nodes + bytes);
    if (!nodes)
        return -1;
    struct writing writing = { nodes, 0, (char *)(nodes + most) };
    write_headers(&writing, fetch, has_cookies);
    for (size_t i = 0; i < added_count; i++)
        link_line(&writing, added[i]);
    nodes[writing.count - 1].next = NULL;
    *ret_lines = nodes;
    return 0;
}
