/* What went wrong, in words that stay the same when libcurl's codes drift: one table from its codes
 * and the state of the request to fetchd's error names. */
#ifndef WORKER_FAILURE_H
#define WORKER_FAILURE_H

#include "ipc/error.h"
#include "ipc/message.h"

#include <curl/curl.h>
#include <stdbool.h>

/* How far the request had come; also the name of a failure's phase. */
enum failure_phase {
    PHASE_QUEUE, PHASE_DNS, PHASE_CONNECT, PHASE_TLS, PHASE_PROXY, PHASE_SEND, PHASE_WAIT, PHASE_BODY,
    PHASE_CLOSE,
};

struct failure {
    enum ipc_error_code error;
    enum failure_phase phase;
    bool retryable;
    CURLcode curl_code;
    int os_errno;
    char message[CURL_ERROR_SIZE];
};

/* What is known of a request that libcurl gave up. */
struct failure_context {
    CURLcode code;
    const char *text;          /* libcurl's error buffer, "" when it wrote nothing */
    int os_errno;
    long proxy_status;         /* of a proxy's answer to CONNECT, 0 without */
    long proxy_code;           /* of CURLPX_: what a SOCKS proxy said, 0 without */
    bool proxied;
    enum failure_phase phase;  /* as far as it had come */
    bool idempotent;
    bool answered;             /* a RESPONSE was delivered: asking again could be seen */
    bool is_ftp;
    unsigned ftp_reply;        /* the last one, 0 without, and its text */
    const char *ftp_reply_text;
};

void failure_from_curl(const struct failure_context *context, struct failure *ret_failure);

/* The name of a time to connect, or for a handshake, that is over. */
enum ipc_error_code failure_of_time(enum failure_phase phase, bool proxied);

/* A failure of our own making. Not retryable unless the caller says otherwise. */
void failure_set(struct failure *failure, enum ipc_error_code error, enum failure_phase phase,
                 const char *format, ...) __attribute__((format(gnu_printf, 4, 5)));

const char *failure_phase_name(enum failure_phase phase);

/* For DONE. Borrows from `failure`. */
struct ipc_failure failure_message(const struct failure *failure);

/* True for the errors of a TLS handshake, which are counted. */
bool failure_is_handshake(const struct failure *failure);

#endif
