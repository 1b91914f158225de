/* FTP's options, replies and headers. */
#include "ftp.h"

#include "answer.h"
#include "check.h"
#include "dial.h"
#include "transfer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define A_DAY_MS (24L * 3600 * 1000)

#define SET(easy, option, value) ((unsigned)curl_easy_setopt((easy)->curl, CURLOPT_##option, value))

/* ---- options ---- */

/* On an ftps: URL TLS begins at once, and a data connection in the clear is none either. */
static long tls_level(const struct ipc_fetch *fetch)
{
    bool implicit = fetch->url.length > 4 && (fetch->url.data[3] | 0x20) == 's';
    if (implicit || ipc_text_is(fetch->ftp_tls, "require"))
        return CURLUSESSL_ALL;
    return ipc_text_is(fetch->ftp_tls, "try") ? CURLUSESSL_TRY : CURLUSESSL_NONE;
}

/* STOR, or APPE for POST. An inline body is read like a streamed one, by ftp_read(). */
static unsigned set_upload(struct easy *easy, const struct ipc_fetch *fetch)
{
    uint64_t length = fetch->body_streamed ? fetch->body_length : fetch->body.length;
    return SET(easy, UPLOAD, 1L) | SET(easy, APPEND, (long)ipc_text_is(fetch->method, "POST"))
        | SET(easy, INFILESIZE_LARGE, length <= (uint64_t)INT64_MAX ? (curl_off_t)length : -1)
        | SET(easy, FTP_CREATE_MISSING_DIRS, fetch->ftp_create_dirs ? CURLFTP_CREATE_DIR_RETRY
                                                                     : CURLFTP_CREATE_DIR_NONE);
}

static unsigned set_range(struct easy *easy, const struct ipc_fetch *fetch)
{
    struct ipc_bytes range = check_range(fetch);
    return range.data ? SET(easy, RANGE, (const char *)range.data) : CURLE_OK;   /* kept with a NUL */
}

/* Through an HTTP proxy by CONNECT: "GET ftp://..." would show it user, password and file. The address in
 * a PASV reply is never used, only its port: the data connection goes where the control connection went. */
unsigned ftp_prepare(struct easy *easy, const struct ipc_fetch *fetch)
{
    unsigned result = SET(easy, USE_SSL, tls_level(fetch)) | SET(easy, FTPSSLAUTH, (long)CURLFTPAUTH_TLS)
        | SET(easy, FTP_USE_EPSV, 1L) | SET(easy, FTP_SKIP_PASV_IP, 1L) | SET(easy, FTPPORT, NULL)
        | SET(easy, SERVER_RESPONSE_TIMEOUT_MS, A_DAY_MS)   /* deadline.c has the times; see ftpwait.h */
        | SET(easy, TIMEOUT_MS, A_DAY_MS)                   /* without one libcurl polls without a pause */
        | SET(easy, HTTPPROXYTUNNEL, 1L) | SET(easy, FILETIME, 1L)
        | SET(easy, DIRLISTONLY, (long)fetch->list_names);
    easy->plain = false;
    if (ipc_text_is(fetch->method, "HEAD"))
        return result | SET(easy, NOBODY, 1L);
    if (ipc_text_is(fetch->method, "PUT") || ipc_text_is(fetch->method, "POST"))
        return result | set_upload(easy, fetch);
    return result | set_range(easy, fetch);
}

size_t ftp_read(struct transfer *transfer, void *place, size_t size)
{
    struct ipc_bytes body = transfer->fetch->body;
    size_t left = body.length - transfer->ftp.body_at;
    if (size > left)
        size = left;
    if (size > 0)
        memcpy(place, body.data + transfer->ftp.body_at, size);
    transfer->ftp.body_at += size;
    return size;
}

/* ---- replies ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "226 Transfer complete", as libcurl takes it for the end of a reply; what comes before is for people. */
static bool ends_reply(const char *line, size_t length)
{
    return length > 3 && is_digit(line[0]) && is_digit(line[1]) && is_digit(line[2]) && line[3] == ' ';
}

static void keep_text(struct ftp *ftp, const char *line, size_t length)
{
    size_t kept = 0;
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        length--;
    for (; kept < length && kept < sizeof ftp->reply_text - 1; kept++)
        ftp->reply_text[kept] = line[kept] >= ' ' && line[kept] <= '~' ? line[kept] : '?';
    ftp->reply_text[kept] = '\0';
}

/* ---- where the data connection goes ---- */

static bool take_number(const char **at, const char *end, unsigned most, unsigned *ret_number)
{
    unsigned number = 0;
    const char *start = *at;
    for (; *at < end && is_digit(**at); ++*at)
        if ((number = number * 10 + (unsigned)(**at - '0')) > most)
            return false;
    *ret_number = number;
    return *at > start;
}

/* "229 ... (|||6446|)" */
static unsigned epsv_port(const char *at, const char *end)
{
    unsigned port;
    at = memchr(at, '(', (size_t)(end - at));
    if (!at || end - at < 6 || at[2] != at[1] || at[3] != at[1])
        return 0;
    at += 4;
    return take_number(&at, end, 65535, &port) ? port : 0;
}

/* "227 ... 192,0,2,7,25,46 ...": the first six such numbers. */
static unsigned pasv_port(const char *at, const char *end)
{
    for (; at < end; at++) {
        unsigned numbers[6], count = 0;
        const char *look = at;
        while (count < 6 && (count == 0 || (look < end && *look++ == ','))
               && take_number(&look, end, 255, &numbers[count]))
            count++;
        if (count == 6)
            return numbers[4] << 8 | numbers[5];
    }
    return 0;
}

/* As libcurl reads it; what it can't read it refuses. */
static bool may_open_data(struct transfer *transfer, unsigned code, const char *line, size_t length)
{
    const char *rest = line + 4, *end = line + length;
    unsigned port = code == 229 ? epsv_port(rest, end) : code == 227 ? pasv_port(rest, end) : 0;
    transfer->ftp.data_port = port;
    if (port == 0 || dial_may_reach(transfer, port))
        return true;
    transfer->failure = transfer->denial;
    return false;
}

/* ---- what a reply means ---- */

static bool is_download(const struct transfer *transfer)
{
    return transfer->fetch->method.length == 0 || ipc_text_is(transfer->fetch->method, "GET");
}

static void on_reply(struct transfer *transfer, unsigned code)
{
    struct ftp *ftp = &transfer->ftp;
    if (transfer->phase == PHASE_TLS) {   /* shaken hands; the login is next */
        transfer->phase = PHASE_CONNECT;
        deadline_leave_tls(&transfer->deadline);
    }
    ftp->reply = code;
    ftp->can_rest = ftp->can_rest || code == 350;
    if (code != 150 && code != 125)
        return;
    ftp->opened = code;
    if (!is_download(transfer) || transfer->phase != PHASE_WAIT)
        return;
    transfer->phase = PHASE_BODY;
    deadline_enter(&transfer->deadline, DEADLINE_IDLE);
}

bool ftp_on_line(struct transfer *transfer, const char *line, size_t length)
{
    struct ftp *ftp = &transfer->ftp;
    ftp->received_bytes += length;
    if (ftp->received_bytes > transfer->owner->settings->max_header_bytes) {
        transfer_doom(transfer, IPC_ERROR_HEADERS_TOO_LARGE, "the FTP server's replies are above the limit");
        return false;
    }
    if (!ends_reply(line, length))
        return true;
    unsigned code = (unsigned)(line[0] - '0') * 100 + (unsigned)(line[1] - '0') * 10 + (unsigned)(line[2] - '0');
    keep_text(ftp, line, length);
    on_reply(transfer, code);
    return may_open_data(transfer, code, line, length);
}

/* ---- the answer ---- */

static void __attribute__((format(gnu_printf, 2, 3))) add_header(struct transfer *transfer, const char *format, ...)
{
    char line[128];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    headers_take(&transfer->headers, line, (size_t)length);
}

static void add_last_modified(struct transfer *transfer)
{
    curl_off_t seconds = -1;
    struct tm date;
    char text[64];
    curl_easy_getinfo(transfer->easy->curl, CURLINFO_FILETIME_T, &seconds);
    time_t when = (time_t)seconds;
    if (seconds < 0 || !gmtime_r(&when, &date))
        return;
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &date);
    add_header(transfer, "Last-Modified: %s", text);
}

/* What is about to come of a file: its length, or that of the part that was asked for. */
static void add_length(struct transfer *transfer)
{
    curl_off_t length = -1;
    curl_easy_getinfo(transfer->easy->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length >= 0)
        add_header(transfer, "Content-Length: %" PRId64, (int64_t)length);
}

/* What an upload was replied is known only at its end; a transfer's begin is what a download's answer is. */
unsigned ftp_make_headers(struct transfer *transfer)
{
    const struct ftp *ftp = &transfer->ftp;
    bool head = ipc_text_is(transfer->fetch->method, "HEAD");
    if (head || is_download(transfer)) {
        add_length(transfer);
        add_last_modified(transfer);
    }
    if (head && ftp->can_rest)
        add_header(transfer, "Accept-Ranges: bytes");
    return is_download(transfer) && ftp->opened ? ftp->opened : ftp->reply;
}

void ftp_on_done(struct transfer *transfer)
{
    if (!transfer->responded)
        answer_respond(transfer);
    transfer->done.status = transfer->ftp.reply;
}
