/* Whether and when a failed attempt is made again. */
#include "retry.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define BUDGET_FLOOR 3

/* Errors that are not here are nobody's passing fault: asked wrongly, refused, cut, too large. */
static const struct { enum ipc_error_code code; struct retry_class class; } classes[] = {
    /*                               origin's fault, passing, nothing arrived */
    { IPC_ERROR_DNS_FAILED,          { true, true, true } },
    { IPC_ERROR_DNS_TIMEOUT,         { true, true, true } },
    { IPC_ERROR_CONNECT_REFUSED,     { true, true, true } },
    { IPC_ERROR_CONNECT_FAILED,      { true, true, true } },
    { IPC_ERROR_CONNECT_TIMEOUT,     { true, true, true } },
    { IPC_ERROR_TLS_PEER_RESET,      { true, true, true } },
    { IPC_ERROR_TLS_HANDSHAKE,       { true, false, true } },
    { IPC_ERROR_TLS_TIMEOUT,         { true, true, true } },
    { IPC_ERROR_PROXY_DNS,           { false, true, true } },
    { IPC_ERROR_PROXY_REFUSED,       { false, true, true } },
    { IPC_ERROR_PROXY_CONNECT,       { false, true, true } },
    { IPC_ERROR_PROXY_TIMEOUT,       { false, true, true } },
    { IPC_ERROR_PROXY_TLS,           { false, true, true } },
    { IPC_ERROR_PROXY_TARGET,        { true, true, true } },
    { IPC_ERROR_TIMEOUT_HEADERS,     { true, false, false } },
    { IPC_ERROR_TIMEOUT_IDLE,        { true, false, false } },
    { IPC_ERROR_HTTP2_STREAM,        { true, true, false } },
    { IPC_ERROR_HTTP2_PROTOCOL,      { true, true, false } },
    { IPC_ERROR_SEND_FAILED,         { true, true, false } },
    { IPC_ERROR_RECEIVE_FAILED,      { true, true, false } },
    { IPC_ERROR_RECEIVE_EMPTY,       { true, true, false } },
    { IPC_ERROR_FTP_UNAVAILABLE,     { true, true, false } },
    { IPC_ERROR_BODY_REWIND,         { false, true, false } },
};

struct retry_class retry_classify(enum ipc_error_code code)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (classes[i].code == code)
            return classes[i].class;
    return (struct retry_class){ false, false, false };
}

static const struct ipc_bytes *find_header(const struct ipc_pairs *headers, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < headers->count; i++)
        if (headers->items[i].name.length == length
            && strncasecmp((const char *)headers->items[i].name.data, name, length) == 0)
            return &headers->items[i].value;
    return NULL;
}

/* RFC 9110, 10.2.3: seconds, or an HTTP date. UINT64_MAX for neither. */
static uint64_t read_retry_after(const struct ipc_bytes *value, int64_t now_s)
{
    char text[64], *end;
    struct tm date = { 0 };
    if (value->length == 0 || value->length >= sizeof text)
        return UINT64_MAX;
    memcpy(text, value->data, value->length);
    text[value->length] = '\0';
    unsigned long seconds = strtoul(text, &end, 10);
    if (end != text && *end == '\0' && text[0] >= '0' && text[0] <= '9')
        return seconds < UINT32_MAX ? (uint64_t)seconds * 1000 : UINT64_MAX;
    if (!strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &date))
        return UINT64_MAX;
    int64_t then_s = timegm(&date);
    return then_s > now_s ? (uint64_t)(then_s - now_s) * 1000 : 0;
}

bool retry_status(const struct ipc_response *response, bool any_5xx, int64_t now_s, uint64_t *ret_after_ms)
{
    const struct ipc_bytes *after = find_header(&response->headers, "retry-after");
    uint64_t after_ms = after ? read_retry_after(after, now_s) : UINT64_MAX;
    bool says_when = (response->status == 429 || response->status == 503) && after_ms != UINT64_MAX;
    if (!says_when && !(any_5xx && response->status >= 500 && response->status != 501))
        return false;
    *ret_after_ms = after_ms != UINT64_MAX ? after_ms : 0;
    return true;
}

uint64_t retry_delay_ms(unsigned attempts, uint64_t delay_ms, uint64_t max_ms, uint32_t random)
{
    for (unsigned i = 1; i < attempts && delay_ms < max_ms; i++)
        delay_ms *= 2;
    if (delay_ms > max_ms)
        delay_ms = max_ms;
    return delay_ms / 2 + random % (delay_ms - delay_ms / 2 + 1);
}

bool retry_within_budget(unsigned retrying, unsigned others, uint64_t percent)
{
    uint64_t allowed = (uint64_t)others * percent / 100;
    return retrying < (allowed > BUDGET_FLOOR ? allowed : BUDGET_FLOOR);
}
