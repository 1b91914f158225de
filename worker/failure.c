/* From libcurl's codes to fetchd's names. */
#include "failure.h"

#include "oserror.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Conditions that tell rows of one code apart. */
enum when {
    ALWAYS, REFUSED, PEER_GONE, UNCONNECTED, IN_BODY, IN_HEADERS,
    PROXY_AUTH, PROXY_ANSWER, PROXY_GATEWAY,   /* by its answer to CONNECT: 407 or 401, no 2xx, 502 or 504 */
    SOCKS_AUTH, SOCKS_GATEWAY, SOCKS_DNS,      /* by what a SOCKS proxy said; DNS: we looked the name up */
    PROXY_TLS,                                 /* the handshake was, or is, with the proxy */
    PROXY_UNREACHED, PROXY_REFUSED,            /* no TCP connection to it */
    PROXY_OPENING,                             /* it is connected and has not opened the way */
    OF_FTP, FTP_BUSY, FTP_OUT_OF_STEP,         /* an FTP URL; its server said 421; said no no */
};

/* When asking again can harm nothing. */
enum retry { NEVER, UNSENT, IF_IDEMPOTENT };   /* UNSENT: the origin can't have seen the request */

/* Where the failure is told to have happened: at a fixed place, or as far as the request had come. */
enum where { AT_DNS = PHASE_DNS, AT_CONNECT = PHASE_CONNECT, AT_TLS = PHASE_TLS, AT_PROXY = PHASE_PROXY,
             AT_SEND = PHASE_SEND, AT_BODY = PHASE_BODY, HERE = -1 };

#define ROW(code, when, name, where, retry) { CURLE_##code, when, IPC_ERROR_##name, where, retry }

/* The first row that fits counts. */
static const struct row {
    CURLcode code;
    enum when when;
    enum ipc_error_code error;
    enum where where;
    enum retry retry;
} rows[] = {
    ROW(UNSUPPORTED_PROTOCOL, IN_HEADERS, HTTP_PROTOCOL, HERE, NEVER),   /* HTTP/0.9, or no HTTP at all */
    ROW(UNSUPPORTED_PROTOCOL, ALWAYS, REQUEST_UNSUPPORTED, HERE, NEVER),
    ROW(NOT_BUILT_IN, ALWAYS, REQUEST_UNSUPPORTED, HERE, NEVER),
    ROW(URL_MALFORMAT, ALWAYS, REQUEST_INVALID, HERE, NEVER),
    ROW(BAD_FUNCTION_ARGUMENT, ALWAYS, REQUEST_INVALID, HERE, NEVER),

    /* A good word, but not to what was said last: pyftpdlib under load ends idle data connections with one. */
    ROW(FTP_COULDNT_RETR_FILE, FTP_OUT_OF_STEP, RECEIVE_FAILED, HERE, IF_IDEMPOTENT),
    ROW(FTP_WEIRD_PASV_REPLY, FTP_OUT_OF_STEP, RECEIVE_FAILED, HERE, IF_IDEMPOTENT),
    ROW(FTP_COULDNT_USE_REST, FTP_OUT_OF_STEP, RECEIVE_FAILED, HERE, IF_IDEMPOTENT),
    /* Of FTP, what means something else elsewhere. 421: the server ends the connection. */
    ROW(OPERATION_TIMEDOUT, FTP_BUSY, FTP_UNAVAILABLE, HERE, IF_IDEMPOTENT),
    ROW(WEIRD_SERVER_REPLY, FTP_BUSY, FTP_UNAVAILABLE, HERE, IF_IDEMPOTENT),
    ROW(WEIRD_SERVER_REPLY, OF_FTP, FTP_FAILED, HERE, NEVER),
    ROW(UPLOAD_FAILED, OF_FTP, FTP_UPLOAD_REFUSED, HERE, NEVER),
    ROW(USE_SSL_FAILED, OF_FTP, FTP_TLS_REFUSED, HERE, NEVER),

    ROW(COULDNT_RESOLVE_PROXY, ALWAYS, PROXY_DNS, AT_DNS, UNSENT),
    ROW(COULDNT_RESOLVE_HOST, ALWAYS, DNS_FAILED, AT_DNS, UNSENT),
    ROW(COULDNT_CONNECT, PROXY_AUTH, PROXY_AUTH, AT_PROXY, NEVER),
    ROW(COULDNT_CONNECT, PROXY_GATEWAY, PROXY_TARGET, AT_PROXY, UNSENT),
    ROW(COULDNT_CONNECT, PROXY_ANSWER, PROXY_FAILED, AT_PROXY, UNSENT),
    ROW(COULDNT_CONNECT, PROXY_REFUSED, PROXY_REFUSED, AT_PROXY, UNSENT),
    ROW(COULDNT_CONNECT, PROXY_UNREACHED, PROXY_CONNECT, AT_PROXY, UNSENT),
    ROW(COULDNT_CONNECT, PROXY_OPENING, PROXY_FAILED, AT_PROXY, UNSENT),
    ROW(COULDNT_CONNECT, REFUSED, CONNECT_REFUSED, AT_CONNECT, UNSENT),
    ROW(COULDNT_CONNECT, ALWAYS, CONNECT_FAILED, AT_CONNECT, UNSENT),
    ROW(INTERFACE_FAILED, ALWAYS, CONNECT_FAILED, AT_CONNECT, UNSENT),
    ROW(PROXY, SOCKS_AUTH, PROXY_AUTH, AT_PROXY, NEVER),
    ROW(PROXY, SOCKS_GATEWAY, PROXY_TARGET, AT_PROXY, UNSENT),
    ROW(PROXY, SOCKS_DNS, DNS_FAILED, AT_DNS, UNSENT),
    ROW(PROXY, ALWAYS, PROXY_FAILED, AT_PROXY, UNSENT),
    ROW(OPERATION_TIMEDOUT, PROXY_UNREACHED, PROXY_TIMEOUT, AT_PROXY, UNSENT),
    ROW(OPERATION_TIMEDOUT, PROXY_OPENING, PROXY_TIMEOUT, AT_PROXY, UNSENT),
    ROW(OPERATION_TIMEDOUT, UNCONNECTED, CONNECT_TIMEOUT, HERE, UNSENT),
    ROW(OPERATION_TIMEDOUT, ALWAYS, TIMEOUT_TOTAL, HERE, NEVER),

    ROW(PEER_FAILED_VERIFICATION, PROXY_TLS, PROXY_CERTIFICATE, AT_PROXY, NEVER),
    ROW(SSL_CONNECT_ERROR, PROXY_TLS, PROXY_TLS, AT_PROXY, UNSENT),
    ROW(SSL_CIPHER, PROXY_TLS, PROXY_TLS, AT_PROXY, NEVER),
    ROW(PEER_FAILED_VERIFICATION, ALWAYS, TLS_CERTIFICATE, AT_TLS, NEVER),
    ROW(SSL_CACERT_BADFILE, ALWAYS, TLS_CERTIFICATE, AT_TLS, NEVER),
    ROW(SSL_ISSUER_ERROR, ALWAYS, TLS_CERTIFICATE, AT_TLS, NEVER),
    ROW(SSL_PINNEDPUBKEYNOTMATCH, ALWAYS, TLS_PINNED_KEY, AT_TLS, NEVER),
    ROW(SSL_INVALIDCERTSTATUS, ALWAYS, TLS_CERTIFICATE, AT_TLS, NEVER),
    ROW(SSL_CERTPROBLEM, ALWAYS, TLS_CLIENT_CERTIFICATE, AT_TLS, NEVER),
    ROW(SSL_CLIENTCERT, ALWAYS, TLS_CLIENT_CERTIFICATE, AT_TLS, NEVER),
    ROW(SSL_CONNECT_ERROR, PEER_GONE, TLS_PEER_RESET, AT_TLS, UNSENT),
    ROW(SSL_CONNECT_ERROR, ALWAYS, TLS_HANDSHAKE, AT_TLS, NEVER),
    ROW(SSL_CIPHER, ALWAYS, TLS_HANDSHAKE, AT_TLS, NEVER),
    ROW(USE_SSL_FAILED, ALWAYS, TLS_HANDSHAKE, AT_TLS, NEVER),

    ROW(WEIRD_SERVER_REPLY, PROXY_OPENING, PROXY_FAILED, AT_PROXY, NEVER),
    ROW(WEIRD_SERVER_REPLY, ALWAYS, HTTP_PROTOCOL, HERE, NEVER),
    ROW(HTTP2, IN_BODY, BODY_TRUNCATED, AT_BODY, IF_IDEMPOTENT),
    ROW(HTTP2, ALWAYS, HTTP2_PROTOCOL, HERE, IF_IDEMPOTENT),
    ROW(HTTP2_STREAM, ALWAYS, HTTP2_STREAM, HERE, IF_IDEMPOTENT),
    ROW(HTTP3, IN_BODY, BODY_TRUNCATED, AT_BODY, IF_IDEMPOTENT),
    ROW(HTTP3, ALWAYS, HTTP3_STREAM, HERE, IF_IDEMPOTENT),
    ROW(QUIC_CONNECT_ERROR, ALWAYS, CONNECT_FAILED, AT_CONNECT, UNSENT),
    ROW(TOO_LARGE, ALWAYS, HEADERS_TOO_LARGE, HERE, NEVER),   /* headers, trailers, a line of FTP's */
    ROW(OUT_OF_MEMORY, IN_HEADERS, HEADERS_TOO_LARGE, HERE, NEVER),   /* a line above curl's 100 KiB */
    ROW(BAD_CONTENT_ENCODING, ALWAYS, BODY_ENCODING, AT_BODY, NEVER),
    ROW(FILESIZE_EXCEEDED, ALWAYS, BODY_TOO_LARGE, AT_BODY, NEVER),
    ROW(PARTIAL_FILE, ALWAYS, BODY_TRUNCATED, AT_BODY, IF_IDEMPOTENT),
    ROW(SEND_FAIL_REWIND, ALWAYS, BODY_REWIND, AT_SEND, NEVER),
    ROW(SEND_ERROR, PROXY_OPENING, PROXY_FAILED, AT_PROXY, UNSENT),
    ROW(SEND_ERROR, UNCONNECTED, CONNECT_FAILED, HERE, UNSENT),
    ROW(SEND_ERROR, ALWAYS, SEND_FAILED, AT_SEND, IF_IDEMPOTENT),
    ROW(UPLOAD_FAILED, ALWAYS, SEND_FAILED, AT_SEND, IF_IDEMPOTENT),
    ROW(GOT_NOTHING, PROXY_OPENING, PROXY_FAILED, AT_PROXY, UNSENT),
    ROW(GOT_NOTHING, ALWAYS, RECEIVE_EMPTY, HERE, IF_IDEMPOTENT),
    ROW(RECV_ERROR, PROXY_AUTH, PROXY_AUTH, AT_PROXY, NEVER),
    ROW(RECV_ERROR, PROXY_GATEWAY, PROXY_TARGET, AT_PROXY, UNSENT),
    ROW(RECV_ERROR, PROXY_ANSWER, PROXY_FAILED, AT_PROXY, UNSENT),
    ROW(RECV_ERROR, PROXY_OPENING, PROXY_FAILED, AT_PROXY, UNSENT),
    ROW(RECV_ERROR, UNCONNECTED, CONNECT_FAILED, HERE, UNSENT),
    ROW(RECV_ERROR, IN_BODY, BODY_TRUNCATED, AT_BODY, IF_IDEMPOTENT),
    ROW(RECV_ERROR, ALWAYS, RECEIVE_FAILED, HERE, IF_IDEMPOTENT),

    ROW(REMOTE_ACCESS_DENIED, ALWAYS, FTP_FAILED, HERE, NEVER),
    ROW(LOGIN_DENIED, ALWAYS, FTP_LOGIN_DENIED, HERE, NEVER),
    ROW(REMOTE_FILE_NOT_FOUND, ALWAYS, FTP_NOT_FOUND, HERE, NEVER),
    ROW(REMOTE_DISK_FULL, ALWAYS, FTP_DISK_FULL, HERE, NEVER),
    ROW(BAD_DOWNLOAD_RESUME, ALWAYS, FTP_RESUME, HERE, NEVER),
    ROW(FTP_ACCEPT_FAILED, ALWAYS, FTP_FAILED, HERE, NEVER),
    ROW(FTP_ACCEPT_TIMEOUT, ALWAYS, FTP_FAILED, HERE, NEVER),
    ROW(FTP_WEIRD_PASS_REPLY, ALWAYS, FTP_FAILED, HERE, NEVER),
    ROW(FTP_WEIRD_PASV_REPLY, ALWAYS, FTP_FAILED, HERE, NEVER),
    ROW(FTP_WEIRD_227_FORMAT, ALWAYS, FTP_FAILED, HERE, NEVER),
    ROW(FTP_CANT_GET_HOST, ALWAYS, FTP_FAILED, HERE, NEVER),
    ROW(FTP_COULDNT_SET_TYPE, ALWAYS, FTP_FAILED, HERE, NEVER),
    ROW(FTP_COULDNT_RETR_FILE, ALWAYS, FTP_FAILED, HERE, NEVER),
    ROW(FTP_COULDNT_USE_REST, ALWAYS, FTP_RESUME, HERE, NEVER),
    ROW(FTP_PORT_FAILED, ALWAYS, FTP_FAILED, HERE, NEVER),
    ROW(FTP_PRET_FAILED, ALWAYS, FTP_FAILED, HERE, NEVER),
    ROW(QUOTE_ERROR, ALWAYS, FTP_FAILED, HERE, NEVER),

    ROW(OUT_OF_MEMORY, ALWAYS, OUT_OF_MEMORY, HERE, IF_IDEMPOTENT),
};

static const struct row anything_else = ROW(FAILED_INIT, ALWAYS, INTERNAL, HERE, NEVER);

/* The peer closed, or something between did: libcurl leaves the errno, or none for a plain end. */
static bool peer_is_gone(const struct failure_context *context)
{
    int number = oserror_number(context->os_errno);
    if (number == ECONNRESET || number == EPIPE || number == ECONNABORTED)
        return true;
    /* BoringSSL has no error of its own for an end in the middle of a handshake. */
    return strstr(context->text, "SSL_ERROR_SYSCALL") || strstr(context->text, "error:00000000:");
}

static bool is_one_of(long code, const CURLproxycode *codes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (code == (long)codes[i])
            return true;
    return false;
}

#define IS_ONE_OF(code, list) is_one_of(code, list, sizeof list / sizeof list[0])

static bool socks_wants_credentials(long code)
{
    static const CURLproxycode codes[] = {
        CURLPX_USER_REJECTED, CURLPX_NO_AUTH, CURLPX_GSSAPI, CURLPX_IDENTD, CURLPX_IDENTD_DIFFER,
    };
    return IS_ONE_OF(code, codes);
}

static bool socks_misses_origin(long code)
{
    static const CURLproxycode codes[] = {
        CURLPX_REPLY_NETWORK_UNREACHABLE, CURLPX_REPLY_HOST_UNREACHABLE, CURLPX_REPLY_CONNECTION_REFUSED,
        CURLPX_REPLY_TTL_EXPIRED,
    };
    return IS_ONE_OF(code, codes);
}

static bool is_refused(const struct failure_context *context)
{
    return oserror_number(context->os_errno) == ECONNREFUSED;
}

/* TCP to the proxy is there, and what comes next is not: the handshake with the origin, or the request. */
static bool opens_way(const struct failure_context *context)
{
    return context->proxied && context->phase == PHASE_PROXY;
}

static bool misses_proxy(const struct failure_context *context)
{
    return context->proxied && context->phase < PHASE_TLS;
}

static bool applies(enum when when, const struct failure_context *context)
{
    switch (when) {
    case ALWAYS: return true;
    case REFUSED: return is_refused(context);
    case PROXY_AUTH: return context->proxy_status == 407 || context->proxy_status == 401;   /* tinyproxy's */
    case PROXY_ANSWER: return context->proxy_status != 0 && context->proxy_status / 100 != 2;
    case PROXY_GATEWAY: return context->proxy_status == 502 || context->proxy_status == 504;
    case SOCKS_AUTH: return socks_wants_credentials(context->proxy_code);
    case SOCKS_GATEWAY: return socks_misses_origin(context->proxy_code);
    case SOCKS_DNS: return context->proxy_code == CURLPX_RESOLVE_HOST;
    case PROXY_TLS: return opens_way(context);
    case PROXY_OPENING: return opens_way(context);
    case PROXY_UNREACHED: return misses_proxy(context);
    case PROXY_REFUSED: return misses_proxy(context) && is_refused(context);
    case PEER_GONE: return peer_is_gone(context);
    case UNCONNECTED: return context->phase < PHASE_SEND;
    case IN_BODY: return context->phase == PHASE_BODY;
    case IN_HEADERS: return context->phase == PHASE_SEND || context->phase == PHASE_WAIT;
    case OF_FTP: return context->is_ftp;
    case FTP_OUT_OF_STEP:   /* 227 and 229 are right where they are, and can't be read */
        return context->is_ftp && context->ftp_reply < 400 && context->ftp_reply != 227
            && context->ftp_reply != 229;
    case FTP_BUSY: return context->is_ftp && context->ftp_reply == 421;
    }
    return false;
}

static const struct row *find_row(const struct failure_context *context)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].code == context->code && applies(rows[i].when, context))
            return &rows[i];
    return &anything_else;
}

static bool may_retry(enum retry retry, const struct failure_context *context)
{
    switch (retry) {
    case NEVER: return false;
    case UNSENT: return !context->answered;
    case IF_IDEMPOTENT: return context->idempotent && !context->answered;
    }
    return false;
}

void failure_from_curl(const struct failure_context *context, struct failure *ret_failure)
{
    const struct row *row = find_row(context);
    const char *text = context->text[0] ? context->text : curl_easy_strerror(context->code);
    bool refused = context->is_ftp && context->ftp_reply >= 400;
    *ret_failure = (struct failure){
        .error = row->error,
        .phase = row->where == HERE ? context->phase : (enum failure_phase)row->where,
        .retryable = may_retry(row->retry, context),
        .curl_code = context->code,
        .os_errno = context->os_errno,
    };
    snprintf(ret_failure->message, sizeof ret_failure->message, refused ? "%s; the server says: %s" : "%s", text,
             refused ? context->ftp_reply_text : "");
}

enum ipc_error_code failure_of_time(enum failure_phase phase, bool proxied)
{
    if (phase == PHASE_TLS)
        return IPC_ERROR_TLS_TIMEOUT;
    if (proxied)
        return IPC_ERROR_PROXY_TIMEOUT;
    return phase == PHASE_DNS ? IPC_ERROR_DNS_TIMEOUT : IPC_ERROR_CONNECT_TIMEOUT;
}

void failure_set(struct failure *failure, enum ipc_error_code error, enum failure_phase phase,
                 const char *format, ...)
{
    va_list arguments;
    *failure = (struct failure){ .error = error, .phase = phase };
    va_start(arguments, format);
    vsnprintf(failure->message, sizeof failure->message, format, arguments);
    va_end(arguments);
}

const char *failure_phase_name(enum failure_phase phase)
{
    static const char *const names[] = {
        "queue", "dns", "connect", "tls", "proxy", "send", "wait", "body", "close",
    };
    return names[phase];
}

/* libcurl has names in its manual only; people search for those of the codes they meet. */
static const char *curl_name(CURLcode code)
{
#define NAME(name) case CURLE_##name: return "CURLE_" #name;
    switch ((int)code) {
    NAME(UNSUPPORTED_PROTOCOL) NAME(FAILED_INIT) NAME(URL_MALFORMAT) NAME(NOT_BUILT_IN)
    NAME(FTP_WEIRD_PASV_REPLY) NAME(FTP_WEIRD_227_FORMAT) NAME(FTP_COULDNT_SET_TYPE)
    NAME(FTP_COULDNT_RETR_FILE) NAME(FTP_COULDNT_USE_REST) NAME(BAD_DOWNLOAD_RESUME) NAME(REMOTE_DISK_FULL)
    NAME(COULDNT_RESOLVE_PROXY) NAME(COULDNT_RESOLVE_HOST) NAME(COULDNT_CONNECT) NAME(WEIRD_SERVER_REPLY)
    NAME(REMOTE_ACCESS_DENIED) NAME(HTTP2) NAME(PARTIAL_FILE) NAME(WRITE_ERROR) NAME(UPLOAD_FAILED)
    NAME(READ_ERROR) NAME(OUT_OF_MEMORY) NAME(OPERATION_TIMEDOUT) NAME(SSL_CONNECT_ERROR)
    NAME(ABORTED_BY_CALLBACK) NAME(BAD_FUNCTION_ARGUMENT) NAME(INTERFACE_FAILED) NAME(GOT_NOTHING)
    NAME(SEND_ERROR) NAME(RECV_ERROR) NAME(SSL_CERTPROBLEM) NAME(SSL_CIPHER) NAME(PEER_FAILED_VERIFICATION)
    NAME(BAD_CONTENT_ENCODING) NAME(FILESIZE_EXCEEDED) NAME(USE_SSL_FAILED) NAME(SEND_FAIL_REWIND)
    NAME(LOGIN_DENIED) NAME(SSL_CACERT_BADFILE) NAME(REMOTE_FILE_NOT_FOUND) NAME(SSL_ISSUER_ERROR)
    NAME(HTTP2_STREAM) NAME(SSL_PINNEDPUBKEYNOTMATCH) NAME(RECURSIVE_API_CALL) NAME(PROXY) NAME(SSL_CLIENTCERT) NAME(UNRECOVERABLE_POLL)
    NAME(TOO_LARGE) NAME(HTTP3) NAME(QUIC_CONNECT_ERROR)
    }
#undef NAME
    return "";
}

struct ipc_failure failure_message(const struct failure *failure)
{
    return (struct ipc_failure){
        .name = ipc_text(ipc_error_name(failure->error)),
        .message = ipc_text(failure->message[0] ? failure->message : ipc_error_text(failure->error)),
        .phase = ipc_text(failure_phase_name(failure->phase)),
        .retryable = failure->retryable,
        .curl_code = (uint64_t)failure->curl_code,
        .curl_name = ipc_text(failure->curl_code ? curl_name(failure->curl_code) : ""),
        .os_errno = (uint64_t)(unsigned)failure->os_errno,
    };
}

bool failure_is_handshake(const struct failure *failure)
{
    return failure->error == IPC_ERROR_TLS_CERTIFICATE || failure->error == IPC_ERROR_TLS_PEER_RESET
        || failure->error == IPC_ERROR_TLS_HANDSHAKE || failure->error == IPC_ERROR_TLS_PINNED_KEY
        || failure->error == IPC_ERROR_TLS_TIMEOUT;
}
