/* What users call sessions: cookies that requests share. */
#include "core.h"

#include "ipc/utf8.h"
#include "netscape.h"

#include <stdlib.h>
#include <string.h>

#define WRITE_COOKIES 500                      /* of one SESSION_WRITE, as in messages.def, and */
#define WRITE_BYTES ((size_t)512 * 1024)       /* so many bytes of them */
#define COOKIE_BYTES 128                       /* that one takes besides its strings */

/* ---- questions ---- */

static int refuse(struct fetchd_client *client, const char *reason)
{
    if (client)
        failure_set(&client->failure, IPC_ERROR_REQUEST_INVALID, "%s", reason);
    return FETCHD_FAILED;
}

/* The daemon would end the connection for a name that is none. */
static int check_name(struct fetchd_client *client, const char *name)
{
    size_t length = name ? strlen(name) : 0;
    if (length > 0 && length <= 64 && ipc_utf8_valid(name, length))
        return 0;
    return refuse(client,
                  "a session's name has letters, digits, '.', '_' and '-', at most 64, and no '.' first");
}

/* The answer that was kept, as the message that is expected. */
static int read_answer(struct fetchd_client *client, unsigned number, void *ret_message)
{
    const struct text *answer = &client->question.answer;
    struct ipc_frame frame = { .type = number, .body = (const uint8_t *)answer->data,
                               .body_length = answer->length };
    if (answer->failed)
        failure_set(&client->failure, IPC_ERROR_OUT_OF_MEMORY, "%s", "");
    else if (client->question.type != number || !answer->data
             || ipc_unpack(&client->decoder, IPC_DAEMON_TO_CLIENT, &frame, ret_message) < 0)
        failure_set(&client->failure, IPC_ERROR_PROTOCOL_VIOLATION,
                    "the daemon at %s: another answer was expected", client->reached);
    else
        return 0;
    return FETCHD_FAILED;
}

static int ask(struct fetchd_client *client, unsigned number, const void *message, int64_t deadline_ms,
               unsigned answer_number, void *ret_answer)
{
    int result = control_ask(client, number, message, deadline_ms);
    return result < 0 ? result : read_answer(client, answer_number, ret_answer);
}

/* ---- create, destroy, list ---- */

char *fetchd_session_create(struct fetchd_client *client, const char *name, unsigned flags, int timeout_ms)
{
    struct ipc_session_create create;
    struct ipc_session_reply reply;
    IPC_INIT(SESSION_CREATE, &create);
    if (name && check_name(client, name) < 0)
        return NULL;
    create.name = ipc_text(name);
    create.persistent = flags & FETCHD_SESSION_PERSISTENT;
    create.may_exist = flags & FETCHD_SESSION_MAY_EXIST;
    create.bound = flags & FETCHD_SESSION_BOUND;
    if (ask(client, IPC_SESSION_CREATE, &create, wait_deadline(timeout_ms), IPC_SESSION_REPLY, &reply) < 0)
        return NULL;
    char *created = strndup(reply.name.data ? reply.name.data : "", reply.name.length);
    if (!created)
        failure_set(&client->failure, IPC_ERROR_OUT_OF_MEMORY, "%s", "");
    return created;
}

int fetchd_session_destroy(struct fetchd_client *client, const char *name, int timeout_ms)
{
    struct ipc_session_destroy destroy = { .name = ipc_text(name) };
    struct ipc_session_reply reply;
    if (check_name(client, name) < 0)
        return FETCHD_FAILED;
    return ask(client, IPC_SESSION_DESTROY, &destroy, wait_deadline(timeout_ms), IPC_SESSION_REPLY, &reply);
}

/* One block: the list, its items, their strings. */
struct block { char *memory; size_t at; };

static const char *add_string(struct block *block, const void *data, size_t length)
{
    char *place = block->memory + block->at;
    if (length > 0)
        memcpy(place, data, length);
    place[length] = '\0';
    block->at += length + 1;
    return place;
}

static void *no_memory(struct fetchd_client *client)
{
    failure_set(&client->failure, IPC_ERROR_OUT_OF_MEMORY, "%s", "");
    return NULL;
}

struct fetchd_sessions *fetchd_session_list(struct fetchd_client *client, int timeout_ms)
{
    struct ipc_session_list_reply reply;
    if (ask(client, IPC_SESSION_LIST, NULL, wait_deadline(timeout_ms), IPC_SESSION_LIST_REPLY, &reply) < 0)
        return NULL;
    size_t count = reply.sessions.count;
    size_t bytes = sizeof(struct fetchd_sessions) + count * sizeof(struct fetchd_session);
    struct block block = { NULL, bytes };
    for (size_t i = 0; i < count; i++)
        bytes += reply.sessions.items[i].name.length + 1;
    struct fetchd_sessions *sessions = malloc(bytes);
    if (!sessions)
        return no_memory(client);
    struct fetchd_session *items = (struct fetchd_session *)(void *)(sessions + 1);
    block.memory = (char *)sessions;
    for (size_t i = 0; i < count; i++) {
        const struct ipc_session *record = &reply.sessions.items[i];
        items[i] = (struct fetchd_session){
            .name = add_string(&block, record->name.data, record->name.length),
            .persistent = record->persistent,
            .cookies = (unsigned)record->cookies,
            .hsts_hosts = (unsigned)record->hsts_hosts,
            .requests = (unsigned)record->requests,
            .idle_ms = record->idle_ms,
        };
    }
    *sessions = (struct fetchd_sessions){ items, count };
    return sessions;
}

/* ---- reading ---- */

typedef void visitor(void *context, const struct ipc_cookie *cookie);

/* All cookies, page by page. 0, or FETCHD_FAILED or FETCHD_TIMED_OUT. */
static int visit(struct fetchd_client *client, const char *name, const char *url, int timeout_ms,
                 visitor *visit_one, void *context)
{
    int64_t deadline_ms = wait_deadline(timeout_ms);
    struct ipc_session_read read = { .name = ipc_text(name), .url = ipc_text(url) };
    struct ipc_session_state state;
    if (check_name(client, name) < 0)
        return FETCHD_FAILED;
    if (url && (strlen(url) > 32768 || !ipc_utf8_valid(url, strlen(url))))
        return refuse(client, "the URL is too long, or not UTF-8");
    do {
        int result = ask(client, IPC_SESSION_READ, &read, deadline_ms, IPC_SESSION_STATE, &state);
        if (result < 0)
            return result;
        for (size_t i = 0; i < state.cookies.count; i++)
            visit_one(context, &state.cookies.items[i]);
        if (state.next != 0 && state.next <= read.from) {
            failure_set(&client->failure, IPC_ERROR_PROTOCOL_VIOLATION,
                        "the daemon's pages of cookies do not end");
            return FETCHD_FAILED;
        }
        read.from = state.next;
    } while (state.next != 0);
    return 0;
}

/* Their structs and their strings grow apart, and are one block at the end: until then the structs' strings
 * are offsets. */
struct collection { struct text items, strings; };

static const char *collect_string(struct collection *collection, const void *data, size_t length)
{
    size_t at = collection->strings.length;
    text_add(&collection->strings, length > 0 ? data : "", length);
    text_add_char(&collection->strings, '\0');
    return (const char *)(uintptr_t)at;
}

static void collect(void *context, const struct ipc_cookie *cookie)
{
    struct collection *collection = context;
    struct fetchd_cookie item = {
        .name = collect_string(collection, cookie->name.data, cookie->name.length),
        .value = collect_string(collection, cookie->value.data, cookie->value.length),
        .domain = collect_string(collection, cookie->domain.data, cookie->domain.length),
        .path = collect_string(collection, cookie->path.data, cookie->path.length),
        .expires = cookie->expires_s > INT64_MAX ? INT64_MAX : (int64_t)cookie->expires_s,
        .host_only = cookie->host_only, .secure = cookie->secure, .http_only = cookie->http_only,
    };
    text_add(&collection->items, &item, sizeof item);
}

static void place(const char **string, const char *strings)
{
    *string = strings + (uintptr_t)*string;
}

static struct fetchd_cookies *join(const struct collection *collection)
{
    size_t items_bytes = collection->items.length, strings_bytes = collection->strings.length;
    bool failed = collection->items.failed || collection->strings.failed;
    struct fetchd_cookies *cookies = failed ? NULL : malloc(sizeof *cookies + items_bytes + strings_bytes);
    if (!cookies)
        return NULL;
    struct fetchd_cookie *items = (struct fetchd_cookie *)(void *)(cookies + 1);
    char *strings = (char *)items + items_bytes;
    if (items_bytes > 0) {
        memcpy(items, collection->items.data, items_bytes);
        memcpy(strings, collection->strings.data, strings_bytes);
    }
    *cookies = (struct fetchd_cookies){ items, items_bytes / sizeof *items };
    for (size_t i = 0; i < cookies->count; i++) {
        place(&items[i].name, strings);
        place(&items[i].value, strings);
        place(&items[i].domain, strings);
        place(&items[i].path, strings);
    }
    return cookies;
}

struct fetchd_cookies *fetchd_session_cookies(struct fetchd_client *client, const char *name, const char *url,
                                              int timeout_ms)
{
    struct collection collection = { 0 };
    struct fetchd_cookies *cookies = NULL;
    if (visit(client, name, url, timeout_ms, collect, &collection) == 0 && !(cookies = join(&collection)))
        no_memory(client);
    text_finish(&collection.items);
    text_finish(&collection.strings);
    return cookies;
}

static void write_line(void *context, const struct ipc_cookie *cookie)
{
    netscape_write(context, cookie);
}

char *fetchd_session_export(struct fetchd_client *client, const char *name, int timeout_ms)
{
    struct text text = { 0 };
    text_add_string(&text, NETSCAPE_HEAD);
    int result = visit(client, name, NULL, timeout_ms, write_line, &text);
    char *file = text_take(&text);
    if (result == 0 && !file)
        no_memory(client);
    if (result == 0)
        return file;
    free(file);
    return NULL;
}

/* ---- writing ---- */

struct writing {
    struct fetchd_client *client;
    int64_t deadline_ms, taken;
    struct ipc_session_write write;
    struct ipc_cookie cookies[WRITE_COOKIES];
    size_t count, bytes;
};

static struct writing *begin_writing(struct fetchd_client *client, const char *name, bool clear,
                                     int timeout_ms)
{
    if (check_name(client, name) < 0 || !client)
        return NULL;
    struct writing *writing = calloc(1, sizeof *writing);
    if (!writing)
        return no_memory(client);
    writing->client = client;
    writing->deadline_ms = wait_deadline(timeout_ms);
    writing->write.name = ipc_text(name);
    writing->write.clear = clear;
    return writing;
}

static int flush(struct writing *writing)
{
    struct ipc_session_reply reply;
    writing->write.cookies.items = writing->cookies;
    writing->write.cookies.count = writing->count;
    int result = ask(writing->client, IPC_SESSION_WRITE, &writing->write, writing->deadline_ms,
                     IPC_SESSION_REPLY, &reply);
    if (result == 0)
        writing->taken += (int64_t)reply.taken;
    writing->write.clear = false;
    writing->count = writing->bytes = 0;
    return result;
}

/* What no record can hold is left out here, as what breaks a rule is by the daemon. */
static bool fits(const struct ipc_cookie *cookie)
{
    return cookie->name.length <= 4096 && cookie->value.length <= 4096 && cookie->path.length <= 1024
        && cookie->domain.length <= 253 && ipc_utf8_valid(cookie->domain.data, cookie->domain.length);
}

static int add(struct writing *writing, const struct ipc_cookie *cookie)
{
    size_t bytes = COOKIE_BYTES + cookie->name.length + cookie->value.length + cookie->domain.length
                   + cookie->path.length;
    if (!fits(cookie))
        return 0;
    if (writing->count == WRITE_COOKIES || writing->bytes + bytes > WRITE_BYTES) {
        int result = flush(writing);
        if (result < 0)
            return result;
    }
    writing->cookies[writing->count++] = *cookie;
    writing->bytes += bytes;
    return 0;
}

/* Sends what is left, at least one message, so that an unknown session is told. */
static int64_t end_writing(struct writing *writing, int result)
{
    if (result == 0)
        result = flush(writing);
    int64_t taken = writing->taken;
    free(writing);
    return result < 0 ? result : taken;
}

static struct ipc_bytes bytes_of(const char *string)
{
    return (struct ipc_bytes){ (const uint8_t *)string, string ? strlen(string) : 0 };
}

int64_t fetchd_session_set(struct fetchd_client *client, const char *name,
                           const struct fetchd_cookie *cookies, size_t count, bool clear, int timeout_ms)
{
    struct writing *writing = begin_writing(client, name, clear, timeout_ms);
    int result = 0;
    if (!writing)
        return FETCHD_FAILED;
    for (size_t i = 0; result == 0 && i < count; i++) {
        const struct fetchd_cookie *cookie = &cookies[i];
        struct ipc_cookie record = {
            .name = bytes_of(cookie->name),
            .value = bytes_of(cookie->value),
            .domain = ipc_text(cookie->domain),
            .path = bytes_of(cookie->path),
            .expires_s = cookie->expires < 0 ? 1 : (uint64_t)cookie->expires,
            .host_only = cookie->host_only,
            .secure = cookie->secure,
            .http_only = cookie->http_only,
        };
        result = add(writing, &record);
    }
    return end_writing(writing, result);
}

int64_t fetchd_session_import(struct fetchd_client *client, const char *name, const char *text, size_t size,
                              bool junk_session, int timeout_ms)
{
    struct writing *writing = begin_writing(client, name, false, timeout_ms);
    struct ipc_bytes rest = { (const uint8_t *)text, size }, line;
    struct ipc_cookie cookie;
    int result = 0;
    if (!writing)
        return FETCHD_FAILED;
    while (result == 0 && netscape_next_line(&rest, &line))
        if (netscape_read(line, &cookie) && !(junk_session && cookie.expires_s == 0))
            result = add(writing, &cookie);
    return end_writing(writing, result);
}
