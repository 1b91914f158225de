/* failure.c: libcurl's codes and fetchd's names. */
#include "worker/failure.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

static struct failure failed(CURLcode code, enum failure_phase phase, int os_errno, const char *text)
{
    struct failure failure;
    struct failure_context context = { .code = code, .text = text, .os_errno = os_errno, .phase = phase,
                                       .idempotent = true };
    failure_from_curl(&context, &failure);
    return failure;
}

static void each_code_has_its_name_and_phase(void **state)
{
    (void)state;
    static const struct {
        CURLcode code;
        enum failure_phase phase;
        int os_errno;
        const char *text, *name, *where;
        bool retryable;
    } rows[] = {
        { CURLE_COULDNT_RESOLVE_HOST, PHASE_DNS, 0, "", "dns.failed", "dns", true },
        { CURLE_COULDNT_RESOLVE_PROXY, PHASE_DNS, 0, "", "proxy.dns", "dns", true },
        { CURLE_COULDNT_CONNECT, PHASE_CONNECT, ECONNREFUSED, "", "connect.refused", "connect", true },
        { CURLE_COULDNT_CONNECT, PHASE_CONNECT, EHOSTUNREACH, "", "connect.failed", "connect", true },
        { CURLE_OPERATION_TIMEDOUT, PHASE_CONNECT, 0, "", "connect.timeout", "connect", true },
        { CURLE_SSL_PINNEDPUBKEYNOTMATCH, PHASE_TLS, 0, "", "tls.pinned_key", "tls", false },
        { CURLE_OPERATION_TIMEDOUT, PHASE_WAIT, 0, "", "timeout.total", "wait", false },
        { CURLE_PEER_FAILED_VERIFICATION, PHASE_TLS, 0, "", "tls.certificate", "tls", false },
        { CURLE_SSL_CONNECT_ERROR, PHASE_TLS, ECONNRESET, "", "tls.peer_reset", "tls", true },
        { CURLE_SSL_CONNECT_ERROR, PHASE_TLS, 0, "TLS: error:00000000:x", "tls.peer_reset", "tls", true },
        { CURLE_SSL_CONNECT_ERROR, PHASE_TLS, 0, "WRONG_VERSION_NUMBER", "tls.handshake", "tls", false },
        { CURLE_SSL_CERTPROBLEM, PHASE_TLS, 0, "", "tls.client_certificate", "tls", false },
        { CURLE_PROXY, PHASE_CONNECT, 0, "", "proxy.failed", "proxy", true },
        { CURLE_UNSUPPORTED_PROTOCOL, PHASE_WAIT, 0, "", "http.protocol", "wait", false },
        { CURLE_UNSUPPORTED_PROTOCOL, PHASE_QUEUE, 0, "", "request.unsupported", "queue", false },
        { CURLE_WEIRD_SERVER_REPLY, PHASE_WAIT, 0, "", "http.protocol", "wait", false },
        { CURLE_HTTP2_STREAM, PHASE_BODY, 0, "", "http2.stream", "body", true },
        { CURLE_HTTP2, PHASE_WAIT, 0, "", "http2.protocol", "wait", true },
        { CURLE_HTTP2, PHASE_BODY, 0, "", "body.truncated", "body", true },
        { CURLE_HTTP3, PHASE_WAIT, 0, "", "http3.stream", "wait", true },
        { CURLE_HTTP3, PHASE_BODY, 0, "", "body.truncated", "body", true },
        { CURLE_QUIC_CONNECT_ERROR, PHASE_CONNECT, 0, "", "connect.failed", "connect", true },
        { CURLE_PARTIAL_FILE, PHASE_BODY, 0, "", "body.truncated", "body", true },
        { CURLE_RECV_ERROR, PHASE_BODY, ECONNRESET, "", "body.truncated", "body", true },
        { CURLE_RECV_ERROR, PHASE_WAIT, ECONNRESET, "", "receive.failed", "wait", true },
        { CURLE_GOT_NOTHING, PHASE_WAIT, 0, "", "receive.empty", "wait", true },
        { CURLE_SEND_ERROR, PHASE_SEND, EPIPE, "", "send.failed", "send", true },
        { CURLE_SEND_FAIL_REWIND, PHASE_SEND, 0, "", "body.rewind", "send", false },
        { CURLE_TOO_LARGE, PHASE_WAIT, 0, "", "headers.too_large", "wait", false },
        { CURLE_TOO_LARGE, PHASE_BODY, 0, "", "headers.too_large", "body", false },
        { CURLE_OUT_OF_MEMORY, PHASE_BODY, 0, "", "out_of_memory", "body", true },
        { CURLE_FTP_COULDNT_RETR_FILE, PHASE_WAIT, 0, "", "ftp.failed", "wait", false },
        { CURLE_LOGIN_DENIED, PHASE_CONNECT, 0, "", "ftp.login_denied", "connect", false },
        { CURLE_REMOTE_FILE_NOT_FOUND, PHASE_WAIT, 0, "", "ftp.not_found", "wait", false },
        { CURLE_BAD_DOWNLOAD_RESUME, PHASE_WAIT, 0, "", "ftp.resume", "wait", false },
        { CURLE_REMOTE_DISK_FULL, PHASE_WAIT, 0, "", "ftp.disk_full", "wait", false },
        { CURLE_LDAP_CANNOT_BIND, PHASE_WAIT, 0, "", "internal", "wait", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct failure failure = failed(rows[i].code, rows[i].phase, rows[i].os_errno, rows[i].text);
        const char *name = ipc_error_name(failure.error), *where = failure_phase_name(failure.phase);
        if (strcmp(name, rows[i].name) != 0 || strcmp(where, rows[i].where) != 0
            || failure.retryable != rows[i].retryable)
            fail_msg("row %zu (curl %d): %s in %s%s", i, (int)rows[i].code, name, where,
                     failure.retryable ? ", retryable" : "");
    }
}

static void what_may_have_been_done_is_not_retryable(void **state)
{
    (void)state;
    struct failure failure;
    struct failure_context context = { .code = CURLE_GOT_NOTHING, .text = "", .phase = PHASE_WAIT };
    failure_from_curl(&context, &failure);
    assert_false(failure.retryable);
    context.code = CURLE_COULDNT_CONNECT;
    context.phase = PHASE_CONNECT;
    failure_from_curl(&context, &failure);
    assert_true(failure.retryable);
    context.code = CURLE_PARTIAL_FILE;
    context.phase = PHASE_BODY;
    context.idempotent = context.answered = true;
    failure_from_curl(&context, &failure);
    assert_false(failure.retryable);
}

static void a_proxys_answer_to_connect_is_the_reason(void **state)
{
    (void)state;
    struct failure failure;
    struct failure_context context = { .code = CURLE_RECV_ERROR, .text = "", .phase = PHASE_CONNECT,
                                       .proxy_status = 407 };
    failure_from_curl(&context, &failure);
    assert_int_equal(failure.error, IPC_ERROR_PROXY_AUTH);
    context.proxy_status = 502;
    failure_from_curl(&context, &failure);
    assert_int_equal(failure.error, IPC_ERROR_PROXY_TARGET);
    context.proxy_status = 403;
    context.code = CURLE_COULDNT_CONNECT;
    failure_from_curl(&context, &failure);
    assert_int_equal(failure.error, IPC_ERROR_PROXY_FAILED);
}

static void what_a_proxy_does_is_named_apart(void **state)
{
    (void)state;
    static const struct {
        CURLcode code;
        enum failure_phase phase;
        int os_errno;
        long status, proxy_code;
        enum ipc_error_code error;
    } rows[] = {
        { CURLE_COULDNT_CONNECT, PHASE_CONNECT, ECONNREFUSED, 0, 0, IPC_ERROR_PROXY_REFUSED },
        { CURLE_COULDNT_CONNECT, PHASE_CONNECT, EHOSTUNREACH, 0, 0, IPC_ERROR_PROXY_CONNECT },
        { CURLE_COULDNT_CONNECT, PHASE_PROXY, 0, 403, 0, IPC_ERROR_PROXY_FAILED },
        { CURLE_COULDNT_CONNECT, PHASE_PROXY, 0, 504, 0, IPC_ERROR_PROXY_TARGET },
        { CURLE_RECV_ERROR, PHASE_PROXY, ECONNRESET, 0, 0, IPC_ERROR_PROXY_FAILED },
        { CURLE_GOT_NOTHING, PHASE_PROXY, 0, 0, 0, IPC_ERROR_PROXY_FAILED },
        { CURLE_SSL_CONNECT_ERROR, PHASE_PROXY, 0, 0, 0, IPC_ERROR_PROXY_TLS },
        { CURLE_PEER_FAILED_VERIFICATION, PHASE_PROXY, 0, 0, 0, IPC_ERROR_PROXY_CERTIFICATE },
        { CURLE_PEER_FAILED_VERIFICATION, PHASE_TLS, 0, 200, 0, IPC_ERROR_TLS_CERTIFICATE },
        { CURLE_SSL_CONNECT_ERROR, PHASE_TLS, ECONNRESET, 200, 0, IPC_ERROR_TLS_PEER_RESET },
        { CURLE_PROXY, PHASE_PROXY, 0, 0, CURLPX_USER_REJECTED, IPC_ERROR_PROXY_AUTH },
        { CURLE_PROXY, PHASE_PROXY, 0, 0, CURLPX_REPLY_CONNECTION_REFUSED, IPC_ERROR_PROXY_TARGET },
        { CURLE_PROXY, PHASE_PROXY, 0, 0, CURLPX_RESOLVE_HOST, IPC_ERROR_DNS_FAILED },
        { CURLE_PROXY, PHASE_PROXY, 0, 0, CURLPX_REPLY_NOT_ALLOWED, IPC_ERROR_PROXY_FAILED },
        { CURLE_RECV_ERROR, PHASE_WAIT, ECONNRESET, 200, 0, IPC_ERROR_RECEIVE_FAILED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct failure failure;
        struct failure_context context = {
            .code = rows[i].code, .text = "", .os_errno = rows[i].os_errno, .phase = rows[i].phase, .proxied = true,
            .proxy_status = rows[i].status, .proxy_code = rows[i].proxy_code,
        };
        failure_from_curl(&context, &failure);
        if (failure.error != rows[i].error)
            fail_msg("row %zu: %s", i, ipc_error_name(failure.error));
    }
}

static void a_time_that_is_over_is_named_by_where_it_went(void **state)
{
    (void)state;
    assert_int_equal(failure_of_time(PHASE_DNS, false), IPC_ERROR_DNS_TIMEOUT);
    assert_int_equal(failure_of_time(PHASE_CONNECT, false), IPC_ERROR_CONNECT_TIMEOUT);
    assert_int_equal(failure_of_time(PHASE_TLS, false), IPC_ERROR_TLS_TIMEOUT);
    assert_int_equal(failure_of_time(PHASE_CONNECT, true), IPC_ERROR_PROXY_TIMEOUT);
    assert_int_equal(failure_of_time(PHASE_PROXY, true), IPC_ERROR_PROXY_TIMEOUT);
    assert_int_equal(failure_of_time(PHASE_TLS, true), IPC_ERROR_TLS_TIMEOUT);
}

static void the_message_has_libcurls_words_or_ours(void **state)
{
    (void)state;
    struct failure failure = failed(CURLE_COULDNT_CONNECT, PHASE_CONNECT, ECONNREFUSED, "no way to x");
    struct ipc_failure message = failure_message(&failure);
    assert_text_equal(message.name, "connect.refused");
    assert_text_equal(message.message, "no way to x");
    assert_text_equal(message.curl_name, "CURLE_COULDNT_CONNECT");
    assert_int_equal(message.os_errno, ECONNREFUSED);
    failure_set(&failure, IPC_ERROR_CANCELLED, PHASE_BODY, "%s", "");
    message = failure_message(&failure);
    assert_text_equal(message.message, ipc_error_text(IPC_ERROR_CANCELLED));
    assert_int_equal(message.curl_code, 0);
    assert_text_equal(message.curl_name, "");
}

static void ftp_has_names_of_its_own(void **state)
{
    (void)state;
    static const struct { CURLcode code; unsigned reply; const char *name; } rows[] = {
        { CURLE_OPERATION_TIMEDOUT, 421, "ftp.unavailable" },
        { CURLE_OPERATION_TIMEDOUT, 150, "timeout.total" },
        { CURLE_WEIRD_SERVER_REPLY, 421, "ftp.unavailable" },
        { CURLE_WEIRD_SERVER_REPLY, 500, "ftp.failed" },
        { CURLE_TOO_LARGE, 0, "headers.too_large" },
        { CURLE_UPLOAD_FAILED, 553, "ftp.upload_refused" },
        { CURLE_USE_SSL_FAILED, 500, "ftp.tls_refused" },
        { CURLE_FTP_WEIRD_PASV_REPLY, 250, "receive.failed" },
        { CURLE_FTP_WEIRD_PASV_REPLY, 500, "ftp.failed" },
        { CURLE_FTP_COULDNT_RETR_FILE, 226, "receive.failed" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct failure failure;
        struct failure_context context = { .code = rows[i].code, .text = "", .phase = PHASE_WAIT, .is_ftp = true,
                                           .ftp_reply = rows[i].reply, .ftp_reply_text = "553 no" };
        failure_from_curl(&context, &failure);
        assert_string_equal(ipc_error_name(failure.error), rows[i].name);
        assert_int_equal(strstr(failure.message, "the server says: 553 no") != NULL, rows[i].reply >= 400);
    }
}

UNIT_TESTS(
    TEST(ftp_has_names_of_its_own),
    TEST(each_code_has_its_name_and_phase),
    TEST(what_may_have_been_done_is_not_retryable),
    TEST(a_proxys_answer_to_connect_is_the_reason),
    TEST(what_a_proxy_does_is_named_apart),
    TEST(a_time_that_is_over_is_named_by_where_it_went),
    TEST(the_message_has_libcurls_words_or_ours))
