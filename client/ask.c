/* Options to FETCH, checked against the protocol's own table. */
#include "ask.h"

#include "ipc/utf8.h"
#include "query.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int __attribute__((format(gnu_printf, 2, 3))) refuse(struct failure *failure, const char *format, ...)
{
    char reason[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    failure_set(failure, IPC_ERROR_REQUEST_INVALID, "%s", reason);
    return -1;
}

/* What is beyond our struct must not be asked for. */
int ask_copy(struct ask *ask, const struct fetchd_options *options, struct failure *ret_failure)
{
    size_t known = options->size < sizeof ask->options ? options->size : sizeof ask->options;
    const unsigned char *given = (const unsigned char *)options;
    if (options->size < sizeof options->size + sizeof options->url)
        return refuse(ret_failure, "options.size is not set");
    for (size_t i = known; i < options->size; i++)
        if (given[i])
            return refuse(ret_failure,
                          "the program uses an option that libfetchd " FETCHD_VERSION " does not have");
    memset(&ask->options, 0, sizeof ask->options);
    memcpy(&ask->options, options, known);
    return 0;
}

static struct ipc_bytes bytes(const void *data, size_t length)
{
    return (struct ipc_bytes){ data, length };
}

static struct ipc_bytes string_bytes(const char *string)
{
    return bytes(string, string ? strlen(string) : 0);
}

static int take_headers(struct ask *ask, struct failure *failure)
{
    const struct fetchd_options *options = &ask->options;
    if (options->header_count > ASK_HEADERS)
        return refuse(failure, "%zu headers are too many, %d at most", options->header_count, ASK_HEADERS);
    for (size_t i = 0; i < options->header_count; i++)
        ask->headers[i] = (struct ipc_pair){ string_bytes(options->headers[i].name),
                                             string_bytes(options->headers[i].value) };
    ask->fetch.headers = (struct ipc_pairs){ ask->headers, options->header_count };
    return 0;
}

static int take_query(struct ask *ask, struct failure *failure)
{
    const struct fetchd_options *options = &ask->options;
    struct text query = { 0 };
    for (size_t i = 0; i < options->query_count; i++) {
        const struct fetchd_header *pair = &options->query[i];
        text_add_string(&query, i > 0 ? "&" : "");
        query_encode(&query, pair->name, strlen(pair->name));
        if (!pair->value)
            continue;
        text_add_char(&query, '=');
        query_encode(&query, pair->value, strlen(pair->value));
    }
    if (options->query_count > 0 && !query.failed)
        query_append(&ask->url, options->url, query.data);
    bool failed = query.failed || ask->url.failed;
    text_finish(&query);
    if (failed) {
        failure_set(failure, IPC_ERROR_OUT_OF_MEMORY, "%s", "");
        return -1;
    }
    if (ask->url.data)
        ask->fetch.url = (struct ipc_text){ ask->url.data, ask->url.length };
    return 0;
}

static int take_texts(struct ipc_text *texts, const char *const *strings, size_t count, const char *what,
                      struct ipc_texts *ret_texts, struct failure *failure)
{
    if (count > ASK_TEXTS)
        return refuse(failure, "%zu of %s are too many, %d at most", count, what, ASK_TEXTS);
    for (size_t i = 0; i < count; i++) {
        texts[i] = ipc_text(strings[i]);
        if (!ipc_utf8_valid(texts[i].data, texts[i].length))
            return refuse(failure, "%s: \"%.40s\" is not UTF-8", what, strings[i]);
    }
    *ret_texts = (struct ipc_texts){ texts, count };
    return 0;
}

static void take_body(struct ipc_fetch *fetch, const struct fetchd_options *options)
{
    fetch->body = bytes(options->body, options->body_size);
    fetch->body_streamed = options->body_streamed;
    fetch->rewindable = options->body_streamed && options->rewindable;
    if (options->body_streamed && options->body_length > 0)
        fetch->body_length = options->body_length;
}

static void take_limits(struct ipc_fetch *fetch, const struct fetchd_options *options)
{
    fetch->connect_timeout_ms = options->connect_timeout_ms;
    fetch->headers_timeout_ms = options->headers_timeout_ms;
    fetch->idle_timeout_ms = options->idle_timeout_ms;
    fetch->total_timeout_ms = options->total_timeout_ms;
    fetch->max_body_bytes = options->max_body_bytes;
    fetch->max_header_bytes = options->max_header_bytes < UINT32_MAX ? options->max_header_bytes : UINT32_MAX;
    if (options->expect_timeout_ms)
        fetch->expect_timeout_ms = options->expect_timeout_ms;
    fetch->rate_bytes = options->rate_bytes;
    if (options->hold_body)
        fetch->window = 0;
    else if (options->window_bytes)
        fetch->window = options->window_bytes;
    if (options->max_redirects)
        fetch->max_redirects = options->max_redirects > 0 ? (uint64_t)options->max_redirects : 0;
}

static void take_plain(struct ipc_fetch *fetch, const struct fetchd_options *options)
{
    fetch->url = ipc_text(options->url);
    fetch->method = ipc_text(options->method);
    fetch->follow = options->follow;
    fetch->redirect_https_only = options->redirect_https_only;
    fetch->compressed = options->compressed;
    fetch->http_version = ipc_text(options->http_version);
    fetch->fresh = options->fresh;
    fetch->attempts = options->attempts;
    fetch->retry_5xx = options->retry_5xx;
    fetch->session = ipc_text(options->session);
}

static void take_proxy(struct ipc_fetch *fetch, const struct fetchd_options *options)
{
    fetch->proxy = ipc_text(options->proxy);
    fetch->proxy_credentials = string_bytes(options->proxy_credentials);
    fetch->proxy_auth = ipc_text(options->proxy_auth);
    fetch->proxy_ca_pem = bytes(options->proxy_ca_pem, options->proxy_ca_pem_size);
    fetch->proxy_insecure = options->proxy_insecure;
    fetch->proxy_pool = ipc_text(options->proxy_pool);
    fetch->proxy_key = ipc_text(options->proxy_key);
}

static void take_identity(struct ipc_fetch *fetch, const struct fetchd_options *options)
{
    fetch->credentials = string_bytes(options->credentials);
    fetch->auth = ipc_text(options->auth);
    fetch->bearer = string_bytes(options->bearer);
    fetch->cert_pem = bytes(options->cert_pem, options->cert_pem_size);
    fetch->key_pem = bytes(options->key_pem, options->key_pem_size);
}

static void take_trust(struct ipc_fetch *fetch, const struct fetchd_options *options)
{
    fetch->ca_pem = bytes(options->ca_pem, options->ca_pem_size);
    fetch->ca_extends = options->ca_extends;
    fetch->pinned_key = ipc_text(options->pinned_key);
    fetch->tls_min = ipc_text(options->tls_min);
    fetch->tls_max = ipc_text(options->tls_max);
    fetch->tls_timeout_ms = options->tls_timeout_ms;
    fetch->want_certs = options->want_certs;
    fetch->insecure = options->insecure;
}

static void take_websocket(struct ipc_fetch *fetch, const struct fetchd_options *options)
{
    fetch->fragments = options->fragments;
    if (options->max_message_bytes)
        fetch->max_message_bytes = options->max_message_bytes;
    fetch->ping_interval_ms = options->ping_interval_ms;
    if (options->pong_timeout_ms)
        fetch->pong_timeout_ms = options->pong_timeout_ms;
    if (options->close_timeout_ms)
        fetch->close_timeout_ms = options->close_timeout_ms;
    fetch->reconnect = options->reconnect;
}

static void take_ftp(struct ipc_fetch *fetch, const struct fetchd_options *options)
{
    fetch->ftp_tls = ipc_text(options->ftp_tls);
    fetch->list_names = options->list_names;
    fetch->ftp_create_dirs = options->ftp_create_dirs;
}

static int check_length(const struct ipc_field *field, size_t length, struct failure *failure)
{
    if (length <= field->limit)
        return 0;
    const char *advice = strcmp(field->name, "body") == 0 ? ": stream it" : "";
    return refuse(failure, "%s has %zu bytes, at most %llu are possible%s", field->name, length,
                  (unsigned long long)field->limit, advice);
}

static int check_field(const struct ipc_field *field, const void *place, struct failure *failure)
{
    const struct ipc_text *text = place;
    switch (field->type) {
    case IPC_TYPE_UINT:
        if (*(const uint64_t *)place > field->limit)
            return refuse(failure, "%s is too large, %llu at most", field->name,
                          (unsigned long long)field->limit);
        return 0;
    case IPC_TYPE_TEXT:
        if (text->length > 0 && !ipc_utf8_valid(text->data, text->length))
            return refuse(failure, "%s is not UTF-8", field->name);
        return check_length(field, text->length, failure);
    case IPC_TYPE_BYTES:
        return check_length(field, ((const struct ipc_bytes *)place)->length, failure);
    case IPC_TYPE_PAIRS:
    case IPC_TYPE_TEXTS:
        if (((const struct ipc_texts *)place)->count > field->limit)
            return refuse(failure, "%s has too many items, %llu at most", field->name,
                          (unsigned long long)field->limit);
        return 0;
    case IPC_TYPE_BOOL:
    case IPC_TYPE_ONE:
    case IPC_TYPE_LIST:
        return 0;
    }
    return 0;
}

static int check_limits(const struct ipc_fetch *fetch, struct failure *failure)
{
    const struct ipc_table *table = ipc_table(IPC_FETCH);
    for (size_t i = 0; i < table->field_count; i++)
        if (check_field(&table->fields[i], (const char *)fetch + table->fields[i].offset, failure) < 0)
            return -1;
    return 0;
}

int ask_build(struct ask *ask, const struct fetchd_options *options, struct failure *ret_failure)
{
    ask->url = (struct text){ 0 };
    if (ask_copy(ask, options, ret_failure) < 0)
        return -1;
    options = &ask->options;
    if (!options->url)
        return refuse(ret_failure, "options.url is not set");
    if (options->body_streamed && options->body_size > 0)
        return refuse(ret_failure, "a body is either given whole or streamed, not both");
    IPC_INIT(FETCH, &ask->fetch);
    take_plain(&ask->fetch, options);
    take_identity(&ask->fetch, options);
    take_proxy(&ask->fetch, options);
    take_trust(&ask->fetch, options);
    take_body(&ask->fetch, options);
    take_limits(&ask->fetch, options);
    take_websocket(&ask->fetch, options);
    take_ftp(&ask->fetch, options);
    if (ask_is_websocket(ask) && (options->body_streamed || options->body_size > 0))
        return refuse(ret_failure, "a WebSocket has no body");
    if (take_headers(ask, ret_failure) < 0 || take_query(ask, ret_failure) < 0
        || take_texts(ask->resolve, options->resolve, options->resolve_count, "resolve", &ask->fetch.resolve,
                      ret_failure) < 0
        || take_texts(ask->connect_to, options->connect_to, options->connect_to_count, "connect_to",
                      &ask->fetch.connect_to, ret_failure) < 0
        || take_texts(ask->require, options->require, options->require_count, "require", &ask->fetch.require,
                      ret_failure) < 0
        || take_texts(ask->subprotocols, options->subprotocols, options->subprotocol_count, "subprotocols",
                      &ask->fetch.subprotocols, ret_failure) < 0)
        return -1;
    return check_limits(&ask->fetch, ret_failure);
}

void ask_finish(struct ask *ask)
{
    text_finish(&ask->url);
}

bool ask_is_websocket(const struct ask *ask)
{
    return strncasecmp(ask->options.url, "ws:", 3) == 0 || strncasecmp(ask->options.url, "wss:", 4) == 0;
}

bool ask_is_safe(const struct ask *ask)
{
    static const char *const safe[] = { "GET", "HEAD", "OPTIONS", "TRACE" };
    const char *method = ask->options.method;
    for (size_t i = 0; method && i < sizeof safe / sizeof safe[0]; i++)
        if (strcmp(method, safe[i]) == 0)
            return true;
    return !method;
}
