/* Methods, headers and URLs, before libcurl sees them. */
#include "check.h"

#include "override.h"
#include "proxy.h"
#include "way.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* These belong to the connection, and to libcurl, which frames the message and names the origin. */
static const char *const refused_headers[] = {
    "connection", "content-length", "http2-settings", "keep-alive", "te", "trailer",
    "transfer-encoding", "upgrade",
};

static int __attribute__((format(gnu_printf, 3, 4))) refuse(struct check_refusal *ret, enum ipc_error_code error,
                                                        const char *format, ...)
{
    va_list arguments;
    ret->error = error;
    va_start(arguments, format);
    vsnprintf(ret->message, sizeof ret->message, format, arguments);
    va_end(arguments);
    return -1;
}

bool check_name_is(struct ipc_bytes name, const char *lower_case)
{
    for (size_t i = 0; i < name.length; i++) {
        uint8_t c = name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] | 0x20 : name.data[i];
        if (lower_case[i] == '\0' || c != (uint8_t)lower_case[i])
            return false;
    }
    return lower_case[name.length] == '\0';
}

/* RFC 9110 5.6.2 */
static bool is_token_char(uint8_t c)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    uint8_t lower = c | 0x20;
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || (c && strchr(marks, c));
}

static bool is_token(const void *data, size_t length)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++)
        if (!is_token_char(bytes[i]))
            return false;
    return length > 0;
}

static bool is_value(struct ipc_bytes value)
{
    for (size_t i = 0; i < value.length; i++)
        if ((value.data[i] < 0x20 && value.data[i] != '\t') || value.data[i] == 0x7f)
            return false;
    return true;
}

static bool is_host(struct ipc_bytes value)
{
    for (size_t i = 0; i < value.length; i++) {
        uint8_t lower = value.data[i] | 0x20;
        bool fine = (lower >= 'a' && lower <= 'z') || (value.data[i] >= '0' && value.data[i] <= '9');
        if (!fine && !memchr("-._:[]", value.data[i], 6))
            return false;
    }
    return value.length > 0 && value.length <= 262;
}

static bool is_refused(struct ipc_bytes name)
{
    for (size_t i = 0; i < sizeof refused_headers / sizeof refused_headers[0]; i++)
        if (check_name_is(name, refused_headers[i]))
            return true;
    return name.length >= 6 && check_name_is((struct ipc_bytes){ name.data, 6 }, "proxy-");
}

/* RFC 9110, 10.1.1 */
static int check_expect(const struct ipc_fetch *fetch, struct ipc_bytes value, struct check_refusal *ret)
{
    bool has_body = fetch->body.length > 0 || fetch->body_streamed;
    if (!value.data || (has_body && check_name_is(value, "100-continue")))
        return 0;
    return refuse(ret, IPC_ERROR_REQUEST_INVALID, has_body ? "header Expect can only be 100-continue"
                  : "header Expect is for requests with a body");
}

static int check_host(const struct ipc_fetch *fetch, struct ipc_bytes value, struct check_refusal *ret)
{
    if (value.data)
        return is_host(value) ? 0 : refuse(ret, IPC_ERROR_REQUEST_INVALID, "header Host is not a host");
    if (ipc_text_is(fetch->http_version, "1.0"))
        return 0;
    return refuse(ret, IPC_ERROR_REQUEST_INVALID, "only HTTP/1.0 goes without a header Host (RFC 9112, 3.2)");
}

static int check_header(const struct ipc_fetch *fetch, struct ipc_pair header, unsigned *hosts,
                        struct check_refusal *ret)
{
    /* A name that is not a token can't be shown as it is. */
    if (!is_token(header.name.data, header.name.length))
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "a header name is not a token (RFC 9110, 5.6.2)");
    int shown = header.name.length < 80 ? (int)header.name.length : 80;
    const char *name = (const char *)header.name.data;
    if (!is_value(header.value))
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "the value of header %.*s holds a control character "
                      "(CR, LF, NUL, ...)", shown, name);
    if (is_refused(header.name))
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "header %.*s belongs to the connection; fetchd sets "
                      "what is needed", shown, name);
    if (check_name_is(header.name, "expect"))
        return check_expect(fetch, header.value, ret);
    if (!check_name_is(header.name, "host"))
        return 0;
    if (++*hosts > 1)
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "header Host stands twice");
    return check_host(fetch, header.value, ret);
}

static int check_headers(const struct ipc_fetch *fetch, struct check_refusal *ret)
{
    unsigned hosts = 0;
    for (size_t i = 0; i < fetch->headers.count; i++)
        if (check_header(fetch, fetch->headers.items[i], &hosts, ret) < 0)
            return -1;
    return 0;
}

static int check_method(const struct ipc_fetch *fetch, struct check_refusal *ret)
{
    if (fetch->method.length > 0 && !is_token(fetch->method.data, fetch->method.length))
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "the method is not a token (RFC 9110, 9.1)");
    if (ipc_text_is(fetch->method, "CONNECT"))
        return refuse(ret, IPC_ERROR_REQUEST_UNSUPPORTED, "method CONNECT is for proxies, not for a URL");
    bool has_body = fetch->body.length > 0 || fetch->body_streamed;
    if (has_body && (ipc_text_is(fetch->method, "HEAD") || ipc_text_is(fetch->method, "TRACE")))
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "a %.*s request has no body", (int)fetch->method.length,
                      fetch->method.data);
    if (fetch->body.length > 0 && fetch->body_streamed)
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "a body is either inline or streamed, not both");
    return 0;
}

bool check_means_body(struct ipc_text method)
{
    return ipc_text_is(method, "POST") || ipc_text_is(method, "PUT") || ipc_text_is(method, "PATCH");
}

static bool is_repeated(struct ipc_texts texts, size_t index)
{
    struct ipc_text text = texts.items[index];
    for (size_t i = 0; i < index; i++)
        if (texts.items[i].length == text.length && memcmp(texts.items[i].data, text.data, text.length) == 0)
            return true;
    return false;
}

/* RFC 6455, 4.1 */
static int check_websocket(const struct ipc_fetch *fetch, struct check_refusal *ret)
{
    bool is_get = fetch->method.length == 0 || ipc_text_is(fetch->method, "GET");
    if (!is_get || fetch->body.length > 0 || fetch->body_streamed)
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "a WebSocket opens with a GET, which has no body");
    if (memchr(fetch->url.data, '#', fetch->url.length))
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "the URL of a WebSocket has no fragment (RFC 6455, 3)");
    if (fetch->auth.length > 0 && !ipc_text_is(fetch->auth, "basic"))
        return refuse(ret, IPC_ERROR_REQUEST_UNSUPPORTED, "a WebSocket's credentials are shown as basic only");
    if (fetch->rate_bytes > 0)
        return refuse(ret, IPC_ERROR_REQUEST_UNSUPPORTED, "rate_bytes is not for WebSockets; give it credit slowly");
    for (size_t i = 0; i < fetch->headers.count; i++) {
        struct ipc_bytes name = fetch->headers.items[i].name;
        if (name.length >= 14 && check_name_is((struct ipc_bytes){ name.data, 14 }, "sec-websocket-"))
            return refuse(ret, IPC_ERROR_REQUEST_INVALID,
                          "headers Sec-WebSocket-... are fetchd's to set; subprotocols names those to offer");
    }
    for (size_t i = 0; i < fetch->subprotocols.count; i++) {
        struct ipc_text text = fetch->subprotocols.items[i];
        if (!is_token(text.data, text.length) || is_repeated(fetch->subprotocols, i))
            return refuse(ret, IPC_ERROR_REQUEST_INVALID, "subprotocols are tokens, each named once");
    }
    return 0;
}

/* ---- FTP ---- */

struct ipc_bytes check_range(const struct ipc_fetch *fetch)
{
    for (size_t i = 0; i < fetch->headers.count; i++) {
        struct ipc_pair header = fetch->headers.items[i];
        if (check_name_is(header.name, "range") && header.value.length > 6)
            return (struct ipc_bytes){ header.value.data + 6, header.value.length - 6 };
    }
    return (struct ipc_bytes){ NULL, 0 };
}

static size_t count_digits(struct ipc_bytes text)
{
    size_t count = 0;
    while (count < text.length && text.data[count] >= '0' && text.data[count] <= '9')
        count++;
    return count;
}

/* One part, in numbers that fit. */
static bool is_one_range(struct ipc_bytes value)
{
    if (value.length <= 6 || memcmp(value.data, "bytes=", 6) != 0)
        return false;
    struct ipc_bytes range = { value.data + 6, value.length - 6 };
    size_t from = count_digits(range);
    if (from > 18 || from == range.length || range.data[from] != '-')
        return false;
    struct ipc_bytes rest = { range.data + from + 1, range.length - from - 1 };
    size_t to = count_digits(rest);
    return to == rest.length && to <= 18 && from + to > 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* Whether percent-decoding makes a control character of it: in an FTP command a CR or LF would be the end of
 * the line, and what follows another command. */
static bool hides_control(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        int high = i + 2 < length && text[i] == '%' ? hex_digit(text[i + 1]) : -1;
        if ((high == 0 || high == 1) && hex_digit(text[i + 2]) >= 0)
            return true;
        if (high == 7 && (text[i + 2] | 0x20) == 'f')
            return true;
    }
    return false;
}

static int check_ftp_upload(const struct ipc_fetch *fetch, struct check_refusal *ret)
{
    bool is_get = fetch->method.length == 0 || ipc_text_is(fetch->method, "GET");
    bool uploads = ipc_text_is(fetch->method, "PUT") || ipc_text_is(fetch->method, "POST");
    if (!uploads && !is_get && !ipc_text_is(fetch->method, "HEAD"))
        return refuse(ret, IPC_ERROR_REQUEST_UNSUPPORTED, "the methods of FTP are GET, HEAD, PUT (upload) and "
                      "POST (append)");
    if (is_get && (fetch->body.length > 0 || fetch->body_streamed))
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "a body goes to an FTP server by PUT or POST");
    if (uploads && fetch->url.data[fetch->url.length - 1] == '/')
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "the URL of an FTP upload names a file, not a folder");
    return 0;
}

static int check_ftp(const struct ipc_fetch *fetch, struct check_refusal *ret)
{
    if (hides_control(fetch->url.data, fetch->url.length))
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "the FTP URL holds a percent-encoded control character");
    if (fetch->ftp_tls.length > 0 && !ipc_text_is(fetch->ftp_tls, "try")
        && !ipc_text_is(fetch->ftp_tls, "require"))
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "ftp_tls is neither try nor require");
    if (!is_value(fetch->credentials))
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "the credentials hold a control character");
    for (size_t i = 0; i < fetch->headers.count; i++)
        if (check_name_is(fetch->headers.items[i].name, "range") && !is_one_range(fetch->headers.items[i].value))
            return refuse(ret, IPC_ERROR_REQUEST_INVALID, "the Range of an FTP download is one of bytes=100-, "
                          "bytes=0-499, bytes=-500");
    return check_ftp_upload(fetch, ret);
}

/* ---- schemes ---- */

static int check_scheme(const struct ipc_fetch *fetch, const struct ipc_origin *origin,
                        struct check_refusal *ret)
{
    bool is_ftp = ipc_text_is(origin->scheme, "ftp") || ipc_text_is(origin->scheme, "ftps");
    if (ipc_text_is(origin->scheme, "ws") || ipc_text_is(origin->scheme, "wss"))
        return check_websocket(fetch, ret);
    return is_ftp ? check_ftp(fetch, ret) : 0;
}

static bool has_nul(const void *data, size_t length)
{
    return length > 0 && memchr(data, '\0', length);
}

static bool is_one_of(struct ipc_text text, const char *const *words)
{
    for (; *words; words++)
        if (ipc_text_is(text, *words))
            return true;
    return false;
}

static const char *const auth_names[] = { "", "basic", "digest", "any", NULL };

/* A token is one header value; what stands in a user or password is encoded before it is sent. */
static int check_credentials(const struct ipc_fetch *fetch, struct check_refusal *ret)
{
    if (has_nul(fetch->credentials.data, fetch->credentials.length)
        || has_nul(fetch->proxy_credentials.data, fetch->proxy_credentials.length))
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "the credentials hold a NUL");
    if (!is_value(fetch->bearer))
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "the bearer token holds a control character");
    if (fetch->bearer.length > 0 && fetch->credentials.length > 0)
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "a request shows credentials or a bearer token, not both");
    if (!is_one_of(fetch->auth, auth_names) || !is_one_of(fetch->proxy_auth, auth_names))
        return refuse(ret, IPC_ERROR_REQUEST_UNSUPPORTED, "auth and proxy_auth are basic, digest or any");
    return 0;
}

static int check_proxy(const struct ipc_fetch *fetch, struct check_refusal *ret)
{
    struct proxy proxy;
    const char *reason;
    if (fetch->proxy.length > 0 && proxy_parse(fetch->proxy, &proxy, &reason) < 0)
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "%s", reason);
    return 0;
}

static int check_overrides(const struct ipc_fetch *fetch, struct check_refusal *ret)
{
    for (size_t i = 0; i < fetch->resolve.count; i++) {
        struct ipc_text text = fetch->resolve.items[i];
        if (text.length == 0 || text.data[0] == '-' || text.data[0] == '+' || has_nul(text.data, text.length)
            || !memchr(text.data, ':', text.length))
            return refuse(ret, IPC_ERROR_REQUEST_INVALID, "resolve wants host:port:address[,address]");
    }
    for (size_t i = 0; i < fetch->connect_to.count; i++)
        if (!override_is_connect_to(fetch->connect_to.items[i]))
            return refuse(ret, IPC_ERROR_REQUEST_INVALID, "connect_to wants host:port:other host:other port");
    return 0;
}

/* libcurl takes anything else for the name of a file. */
static bool is_pin(struct ipc_text text)
{
    static const char start[] = "sha256//";
    for (size_t at = 0; at < text.length;) {
        const char *end = memchr(text.data + at, ';', text.length - at);
        size_t length = end ? (size_t)(end - text.data) - at : text.length - at;
        if (length != 8 + 44 || memcmp(text.data + at, start, 8) != 0)   /* 32 bytes in base64 */
            return false;
        at += length + 1;
    }
    return !has_nul(text.data, text.length);
}

static int check_tls(const struct ipc_fetch *fetch, struct check_refusal *ret)
{
    static const char *const versions[] = { "", "1.0", "1.1", "1.2", "1.3", NULL };
    if (!is_pin(fetch->pinned_key))
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "pinned_key wants sha256//BASE64, several joined by ;");
    if (!is_one_of(fetch->tls_min, versions) || !is_one_of(fetch->tls_max, versions))
        return refuse(ret, IPC_ERROR_REQUEST_UNSUPPORTED, "tls_min and tls_max are 1.0, 1.1, 1.2 or 1.3");
    if (fetch->tls_min.length > 0 && fetch->tls_max.length > 0 && fetch->tls_min.data[2] > fetch->tls_max.data[2])
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "tls_min is above tls_max");
    if (fetch->key_pem.length > 0 && fetch->cert_pem.length == 0)
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "a client's key without its certificate");
    return 0;
}

static int check_version(const struct ipc_fetch *fetch, const struct ipc_origin *origin,
                         struct check_refusal *ret)
{
    static const char *const versions[] = { "", "1.0", "1.1", "2", "2-only", "3", "3-only", NULL };
    if (!is_one_of(fetch->http_version, versions))
        return refuse(ret, IPC_ERROR_REQUEST_UNSUPPORTED,
                      "http_version is not one of 1.0, 1.1, 2, 2-only, 3, 3-only");
    bool three = fetch->http_version.length > 0 && fetch->http_version.data[0] == '3';
    if (three && !FETCHD_HTTP3)
        return refuse(ret, IPC_ERROR_REQUEST_UNSUPPORTED, "this fetchd was built without HTTP/3");
    if (ipc_text_is(fetch->http_version, "3-only") && !way_may_quic(fetch, origin))
        return refuse(ret, IPC_ERROR_REQUEST_INVALID, "HTTP/3 needs an https URL and goes through no proxy");
    return 0;
}

static int check_connection(const struct ipc_fetch *fetch, const struct ipc_origin *origin,
                            struct check_refusal *ret)
{
    if (check_credentials(fetch, ret) < 0 || check_proxy(fetch, ret) < 0 || check_overrides(fetch, ret) < 0
        || check_tls(fetch, ret) < 0)
        return -1;
    return check_version(fetch, origin, ret);
}

int check_fetch(const struct ipc_fetch *fetch, struct ipc_origin *ret_origin,
                struct check_refusal *ret_refusal)
{
    const char *reason;
    if (ipc_origin_parse(fetch->url, ret_origin, &reason) < 0)
        return refuse(ret_refusal, IPC_ERROR_REQUEST_INVALID, "%s", reason);
    if (check_scheme(fetch, ret_origin, ret_refusal) < 0 || check_method(fetch, ret_refusal) < 0
        || check_headers(fetch, ret_refusal) < 0)
        return -1;
    return check_connection(fetch, ret_origin, ret_refusal);
}
