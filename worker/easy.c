/* Options of an easy handle: once for its partition, then for each fetch. */
#include "easy.h"

#include "check.h"
#include "partition.h"
#include "socket.h"
#include "watch.h"
#include "way.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define A_DAY_MS (24L * 3600 * 1000)

/* Each returns 0 for success, so that results can be ORed. */
#define SET(easy, option, value) ((unsigned)curl_easy_setopt((easy)->curl, CURLOPT_##option, value))

static unsigned set_callbacks(struct easy *easy, const struct easy_calls *calls, struct watches *watches)
{
    return SET(easy, HEADERFUNCTION, calls->on_curl_header) | SET(easy, HEADERDATA, easy)
        | SET(easy, WRITEFUNCTION, calls->on_curl_write) | SET(easy, WRITEDATA, easy)
        | SET(easy, PREREQFUNCTION, calls->on_curl_prereq) | SET(easy, PREREQDATA, easy)
        | SET(easy, OPENSOCKETFUNCTION, calls->on_curl_open_socket) | SET(easy, OPENSOCKETDATA, easy)
        | SET(easy, CLOSESOCKETFUNCTION, calls->on_curl_close_socket) | SET(easy, CLOSESOCKETDATA, watches)
        | SET(easy, SSL_CTX_FUNCTION, calls->on_curl_ssl_ctx) | SET(easy, SSL_CTX_DATA, easy)
        | SET(easy, READFUNCTION, calls->on_curl_read) | SET(easy, READDATA, easy)
        | SET(easy, SEEKFUNCTION, calls->on_curl_seek) | SET(easy, SEEKDATA, easy)
        | SET(easy, ERRORBUFFER, easy->error) | SET(easy, PRIVATE, easy);
}

/* What most partitions don't have. */
static unsigned set_partition(struct easy *easy, const struct partition *partition)
{
    unsigned result = CURLE_OK;
    if (partition->resolve)
        result |= SET(easy, RESOLVE, partition->resolve);
    if (partition->connect_to)
        result |= SET(easy, CONNECT_TO, partition->connect_to);
    if (partition->insecure)
        result |= SET(easy, SSL_VERIFYPEER, 0L) | SET(easy, SSL_VERIFYHOST, 0L);
    if (partition->proxy_insecure)
        result |= SET(easy, PROXY_SSL_VERIFYPEER, 0L) | SET(easy, PROXY_SSL_VERIFYHOST, 0L);
    if (partition->pinned_key)
        result |= SET(easy, PINNEDPUBLICKEY, partition->pinned_key);
    if (partition->proxy_user)
        result |= SET(easy, PROXYUSERNAME, partition->proxy_user)
            | SET(easy, PROXYPASSWORD, partition->proxy_password);
    return result;
}

/* What is the same for every request of the partition. Nothing comes from the environment or a
 * file: proxies are set to none expressly. */
static unsigned set_base(struct easy *easy)
{
    struct partition *partition = easy->partition;
    const struct settings *settings = partition->owner->settings;
    unsigned result = set_callbacks(easy, partition->owner->calls, &partition->owner->hub->watches)
        | SET(easy, SHARE, partition->share)
        | SET(easy, NOSIGNAL, 1L)
        | SET(easy, PROTOCOLS_STR, "http,https,ws,wss,ftp,ftps")
        | SET(easy, REDIR_PROTOCOLS_STR, "http,https")
        | SET(easy, FOLLOWLOCATION, 0L)
        | SET(easy, PROXY, partition->proxy_url) | SET(easy, NOPROXY, "")
        | SET(easy, PROXYAUTH, partition->proxy_auth) | SET(easy, SUPPRESS_CONNECT_HEADERS, 1L)
        | SET(easy, SSLVERSION, partition->tls_version)
        | SET(easy, HTTPAUTH, CURLAUTH_BASIC)
        | SET(easy, DNS_CACHE_TIMEOUT, (long)((settings->dns_lifetime_ms + 999) / 1000))
        | SET(easy, USERAGENT, settings->user_agent)
        | SET(easy, HTTP_CONTENT_DECODING, 0L)
        | SET(easy, HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS)
        | SET(easy, CONNECTTIMEOUT_MS, A_DAY_MS)   /* deadline.c has the times */
        | SET(easy, CAINFO, NULL) | SET(easy, CAPATH, NULL) | SET(easy, CA_CACHE_TIMEOUT, 0L)
        | SET(easy, PROXY_CAINFO, NULL) | SET(easy, PROXY_CAPATH, NULL);
    result |= set_partition(easy, partition);
    if (settings->doh_url[0])
        result |= SET(easy, DOH_URL, settings->doh_url);
    easy->http_version = CURL_HTTP_VERSION_2TLS;
    easy->plain = true;
    easy->shares = false;
    return result;
}

struct easy *easy_create(struct partition *partition)
{
    struct easy *easy = calloc(1, sizeof *easy);
    if (!easy)
        return NULL;
    easy->partition = partition;
    easy->curl = curl_easy_init();
    if (easy->curl && set_base(easy) == CURLE_OK)
        return easy;
    easy_destroy(easy);
    return NULL;
}

void easy_destroy(struct easy *easy)
{
    curl_easy_cleanup(easy->curl);
    free(easy);
}

/* ---- one fetch ---- */

static long http_version_of(const struct way *way)
{
    static const long versions[] = {
        [WAY_BEST] = CURL_HTTP_VERSION_2TLS, [WAY_1_0] = CURL_HTTP_VERSION_1_0,
        [WAY_1_1] = CURL_HTTP_VERSION_1_1, [WAY_2_ONLY] = CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE,
        [WAY_3] = CURL_HTTP_VERSION_3, [WAY_3_ONLY] = CURL_HTTP_VERSION_3ONLY,
    };
    return versions[way->http];
}

/* To the place that the origin announced, where the certificate must be the origin's all the same. */
static unsigned set_place(struct easy *easy, const struct way *way)
{
    if (!way->alternative || !way->place.elsewhere)
        return CURLE_OK;
    bool six = strchr(way->place.host, ':') != NULL;
    easy->plain = false;
    snprintf(easy->place, sizeof easy->place, six ? "::[%s]:%u" : "::%s:%u", way->place.host,
             way->place.port);
    easy->connect_to = (struct curl_slist){ .data = easy->place };
    return SET(easy, CONNECT_TO, &easy->connect_to) | SET(easy, CONNECTTIMEOUT_MS, (long)way->connect_ms);
}

/* Whether it waits at all is up to the header Expect, or libcurl. */
static unsigned set_expect(struct easy *easy, const struct ipc_fetch *fetch)
{
    uint64_t wait_ms = fetch->expect_timeout_ms < A_DAY_MS ? fetch->expect_timeout_ms : A_DAY_MS;
    return SET(easy, EXPECT_100_TIMEOUT_MS, (long)wait_ms);
}

/* An inline body is given as it is: libcurl can rewind that by itself. One of length 0 makes
 * "Content-Length: 0", which methods that mean a body are to send. */
static unsigned set_inline_body(struct easy *easy, const struct ipc_fetch *fetch)
{
    const char *data = fetch->body.length > 0 ? (const char *)fetch->body.data : "";
    return SET(easy, POSTFIELDSIZE_LARGE, (curl_off_t)fetch->body.length) | SET(easy, POSTFIELDS, data)
        | set_expect(easy, fetch);
}

static unsigned set_streamed_body(struct easy *easy, const struct ipc_fetch *fetch)
{
    bool known = fetch->body_length <= (uint64_t)INT64_MAX;
    return SET(easy, UPLOAD, 1L) | set_expect(easy, fetch) | SET(easy, INFILESIZE_LARGE, known ? (curl_off_t)fetch->body_length : -1);
}

static bool is_ftp(const struct ipc_fetch *fetch)
{
    return fetch->url.length > 4 && strncasecmp(fetch->url.data, "ftp", 3) == 0;
}

static unsigned set_method(struct easy *easy, const struct ipc_fetch *fetch)
{
    if (is_ftp(fetch))
        return CURLE_OK;   /* see ftp.c */
    bool has_body = fetch->body.length > 0 || fetch->body_streamed;
    bool get = fetch->method.length == 0 || ipc_text_is(fetch->method, "GET");
    if (get && !has_body)
        return CURLE_OK;
    easy->plain = false;
    if (ipc_text_is(fetch->method, "HEAD"))
        return SET(easy, NOBODY, 1L);
    unsigned result = CURLE_OK;
    if (fetch->body_streamed)
        result = set_streamed_body(easy, fetch);
    else if (fetch->body.length > 0 || check_means_body(fetch->method))
        result = set_inline_body(easy, fetch);
    return result | SET(easy, CUSTOMREQUEST, get ? "GET" : fetch->method.data);   /* kept with a NUL */
}

static unsigned set_credentials(struct easy *easy, const struct ipc_fetch *fetch)
{
    long how = CURLAUTH_BASIC;
    if (ipc_text_is(fetch->auth, "digest"))
        how = CURLAUTH_DIGEST;
    else if (ipc_text_is(fetch->auth, "any"))
        how = CURLAUTH_BASIC | CURLAUTH_DIGEST;
    unsigned result = SET(easy, HTTPAUTH, how);
    if (fetch->bearer.length > 0)
        result = SET(easy, HTTPAUTH, CURLAUTH_BEARER)
            | SET(easy, XOAUTH2_BEARER, (const char *)fetch->bearer.data);
    if (fetch->credentials.length > 0)
        result |= SET(easy, USERPWD, (const char *)fetch->credentials.data);
    return result;
}

static bool has_userinfo(const struct ipc_fetch *fetch)
{
    return fetch->url.length > 0 && memchr(fetch->url.data, '@', fetch->url.length);
}

/* A kept way through a SOCKS proxy ends at an address that was allowed for whoever opened it: a redirect from a
 * public address may go to fewer, so it gets one of its own. */
static bool has_stricter_rules(const struct easy *easy, const struct ipc_fetch *fetch)
{
    return fetch->from_public && fetch->proxy.length > 0 && easy->partition->proxy.is_given_addresses;
}

static unsigned set_rarely_used(struct easy *easy, const struct ipc_fetch *fetch)
{
    unsigned result = CURLE_OK;
    bool alone = has_stricter_rules(easy, fetch);
    bool shows = fetch->credentials.length > 0 || fetch->bearer.length > 0 || has_userinfo(fetch);
    if (!fetch->fresh && !alone && !shows && fetch->rate_bytes == 0)
        return result;
    easy->plain = false;
    if (alone)
        result |= SET(easy, FRESH_CONNECT, 1L);
    if (fetch->fresh)
        result |= SET(easy, FRESH_CONNECT, 1L) | SET(easy, FORBID_REUSE, 1L);
    if (shows)
        result |= set_credentials(easy, fetch);
    if (fetch->rate_bytes > 0 && fetch->rate_bytes <= (uint64_t)INT64_MAX)
        result |= SET(easy, MAX_SEND_SPEED_LARGE, (curl_off_t)fetch->rate_bytes);
    return result;
}

bool easy_forget(struct easy *easy)
{
    if (easy->plain)
        return true;
    curl_easy_reset(easy->curl);
    return set_base(easy) == CURLE_OK;
}

CURLcode easy_prepare(struct easy *easy, const struct ipc_fetch *fetch, struct curl_slist *lines,
                      const struct way *way, bool shares)
{
    unsigned result = CURLE_OK;
    easy->error[0] = '\0';
    long http_version = http_version_of(way);
    if (http_version != easy->http_version) {
        easy->http_version = http_version;
        result |= SET(easy, HTTP_VERSION, http_version);
    }
    shares = shares || way->shares;
    if (shares != easy->shares) {
        easy->shares = shares;
        result |= SET(easy, PIPEWAIT, (long)shares);
    }
    result |= SET(easy, URL, fetch->url.data) | SET(easy, HTTPHEADER, lines) | set_method(easy, fetch)
        | set_rarely_used(easy, fetch) | set_place(easy, way);
    return result == CURLE_OK ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

CURLcode easy_connect_only(struct easy *easy)
{
    easy->plain = false;
    unsigned result = SET(easy, CONNECT_ONLY, 2L) | SET(easy, WS_OPTIONS, CURLWS_RAW_MODE | CURLWS_NOAUTOPONG);
    return result == CURLE_OK ? CURLE_OK : CURLE_NOT_BUILT_IN;
}

void easy_forbid_reuse(struct easy *easy)
{
    easy->plain = false;
    SET(easy, FORBID_REUSE, 1L);
}

void easy_share_connection(struct easy *easy)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (curl_easy_getinfo(easy->curl, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK && fd != CURL_SOCKET_BAD)
        watches_share(&easy->partition->owner->hub->watches, fd);
}

/* It finds the end of it when it looks whether the connection is alive. */
void easy_break_connection(struct easy *easy)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (curl_easy_getinfo(easy->curl, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK && fd != CURL_SOCKET_BAD)
        socket_shut(fd);
}

/* ---- what became of it ---- */

long easy_info(struct easy *easy, CURLINFO info)
{
    long value = 0;
    curl_easy_getinfo(easy->curl, info, &value);
    return value;
}

void *easy_ssl(struct easy *easy)
{
    struct curl_tlssessioninfo *info = NULL;
    CURLcode result = curl_easy_getinfo(easy->curl, CURLINFO_TLS_SSL_PTR, &info);
    return result == CURLE_OK && info ? info->internals : NULL;
}

uint64_t easy_big_info(struct easy *easy, CURLINFO info)
{
    curl_off_t value = 0;
    curl_easy_getinfo(easy->curl, info, &value);
    return value > 0 ? (uint64_t)value : 0;
}

void easy_fill_done(struct easy *easy, struct ipc_done *done)
{
    done->bytes_sent = (uint64_t)easy_info(easy, CURLINFO_REQUEST_SIZE)
        + easy_big_info(easy, CURLINFO_SIZE_UPLOAD_T);
    done->bytes_received = (uint64_t)easy_info(easy, CURLINFO_HEADER_SIZE)
        + easy_big_info(easy, CURLINFO_SIZE_DOWNLOAD_T);
    done->sent_us = easy_big_info(easy, CURLINFO_POSTTRANSFER_TIME_T);
    done->first_byte_us = easy_big_info(easy, CURLINFO_STARTTRANSFER_TIME_T);
    done->total_us = easy_big_info(easy, CURLINFO_TOTAL_TIME_T);
    done->reused = easy_info(easy, CURLINFO_NUM_CONNECTS) == 0;
    if (done->reused)
        return;
    done->dns_us = easy_big_info(easy, CURLINFO_NAMELOOKUP_TIME_T);
    done->connect_us = easy_big_info(easy, CURLINFO_CONNECT_TIME_T);
    done->tls_us = easy_big_info(easy, CURLINFO_APPCONNECT_TIME_T);
}
