/* The table of options, and the reading of a command line by it. */
#include "options.h"

#include "client/query.h"
#include "file.h"
#include "memory.h"
#include "say.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FETCHING COMMANDS_FETCHING
#define ASKING (FETCHING | COMMAND_BATCH | COMMAND_BENCH)
#define SENDING (ASKING & ~(unsigned)COMMAND_HEAD)
#define TALKING (ASKING | COMMAND_WS)

enum kind {
    FLAG,          /* bool */
    WORD,          /* char *, the last one counts */
    SECRET,        /* the same, and overwritten in argv */
    WORDS,         /* struct strings */
    SECONDS,       /* uint64_t milliseconds, from decimal seconds */
    BYTES,         /* uint64_t, with k, m, g as curl has them */
    NUMBER,        /* uint64_t */
    CALL,          /* a function takes it */
    SECRET_CALL,   /* the same, and overwritten in argv */
    UNSUPPORTED,   /* known, and refused with a sentence */
};

struct option {
    char letter;               /* 0: none */
    const char *name;
    enum kind kind;
    unsigned commands;
    size_t offset;             /* in struct options */
    const char *argument;      /* NULL: it takes none */
    const char *help;
    int (*call)(struct options *options, const char *argument);
};

static int take_data(struct options *options, const char *argument);
static int take_data_binary(struct options *options, const char *argument);
static int take_data_raw(struct options *options, const char *argument);
static int take_data_urlencode(struct options *options, const char *argument);
static int take_url_query(struct options *options, const char *argument);
static int take_redirect_protocols(struct options *options, const char *argument);
static int take_json(struct options *options, const char *argument);
static int take_remote_name(struct options *options, const char *argument);
static int take_max_redirects(struct options *options, const char *argument);
static int take_http_1_0(struct options *options, const char *argument);
static int take_http_1_1(struct options *options, const char *argument);
static int take_http_2(struct options *options, const char *argument);
static int take_http_2_only(struct options *options, const char *argument);
static int take_http_3(struct options *options, const char *argument);
static int take_http_3_only(struct options *options, const char *argument);
static int take_expect_bytes(struct options *options, const char *argument);
static int take_basic(struct options *options, const char *argument);
static int take_digest(struct options *options, const char *argument);
static int take_any_auth(struct options *options, const char *argument);
static int take_proxy_basic(struct options *options, const char *argument);
static int take_proxy_digest(struct options *options, const char *argument);
static int take_proxy_any_auth(struct options *options, const char *argument);
static int take_socks4(struct options *options, const char *argument);
static int take_socks4a(struct options *options, const char *argument);
static int take_socks5(struct options *options, const char *argument);
static int take_socks5_hostname(struct options *options, const char *argument);
static int take_tls_1_0(struct options *options, const char *argument);
static int take_tls_1_1(struct options *options, const char *argument);
static int take_tls_1_2(struct options *options, const char *argument);
static int take_tls_1_3(struct options *options, const char *argument);
static int take_tls_max(struct options *options, const char *argument);

#define AT(field) offsetof(struct options, field)

static const struct option table[] = {
    { 'X', "request", WORD, SENDING, AT(method), "METHOD", "use this method", NULL },
    { 'H', "header", WORDS, TALKING, AT(headers), "LINE|@FILE", "send this header", NULL },
    { 'A', "user-agent", WORD, TALKING, AT(user_agent), "NAME", "send this User-Agent", NULL },
    { 'e', "referer", WORD, TALKING, AT(referer), "URL", "send this Referer", NULL },
    { 'b', "cookie", WORDS, TALKING, AT(cookies), "NAME=VALUE|FILE", "send these cookies, or those of a file", NULL },
    { 'c', "cookie-jar", WORD, TALKING, AT(cookie_jar), "FILE|-", "write the cookies there afterwards", NULL },
    { 'j', "junk-session-cookies", FLAG, TALKING | COMMAND_SESSION, AT(junk_session), NULL,
      "leave out a file's cookies that end with their session", NULL },
    { 0, "session", WORD, TALKING, AT(session), "NAME", "use the cookies and HSTS of this session", NULL },
    { 0, "persistent", FLAG, COMMAND_SESSION, AT(persistent), NULL, "create one that outlives the daemon", NULL },
    { 'd', "data", CALL, SENDING, 0, "DATA|@FILE", "send this body; line ends of a file are left out",
      take_data },
    { 0, "data-ascii", CALL, SENDING, 0, "DATA|@FILE", "as --data", take_data },
    { 0, "data-binary", CALL, SENDING, 0, "DATA|@FILE", "send this body as it is", take_data_binary },
    { 0, "data-raw", CALL, SENDING, 0, "DATA", "send this body; @ means nothing", take_data_raw },
    { 0, "data-urlencode", CALL, SENDING, 0, "[NAME][=]DATA|[NAME]@FILE", "send this body, percent-encoded",
      take_data_urlencode },
    { 'G', "get", FLAG, FETCHING & SENDING, AT(data_in_query), NULL, "the -d go into the URL's query", NULL },
    { 0, "url-query", CALL, FETCHING, 0, "[NAME][=]DATA|@FILE|+DATA", "add this to the URL's query", take_url_query },
    { 0, "json", CALL, SENDING & ~(unsigned)COMMAND_BENCH, 0, "DATA|@FILE", "send JSON and ask for JSON",
      take_json },
    { 'F', "form", WORDS, FETCHING & SENDING, AT(forms), "NAME=VALUE|@FILE", "send a multipart form", NULL },
    { 'T', "upload-file", WORD, FETCHING & SENDING, AT(upload), "FILE|-", "send this file", NULL },
    { 0, "expect100-timeout", SECONDS, FETCHING & SENDING, AT(expect_timeout_ms), "SECONDS",
      "a large body waits so long for 100 Continue (1); -H 'Expect:' asks for none", NULL },
    { 'o', "output", WORDS, FETCHING | COMMAND_WS, AT(outputs), "FILE",
      "write the body there; one for each URL", NULL },
    { 'o', "output", WORDS, COMMAND_BATCH, AT(outputs), "FILE", "write the lines there", NULL },
    { 'O', "remote-name", CALL, FETCHING, 0, NULL, "write the body to the URL's file name",
      take_remote_name },
    { 0, "create-dirs", FLAG, FETCHING | COMMAND_WS, AT(create_dirs), NULL, "make the folders of -o", NULL },
    { 'C', "continue-at", WORD, FETCHING, AT(continue_at), "OFFSET|-", "resume there, - where the file ends",
      NULL },
    { 'r', "range", WORD, ASKING, AT(range), "RANGE", "ask for these bytes only", NULL },
    { 'z', "time-cond", WORD, ASKING, AT(time_condition), "[-]DATE|FILE", "only if it changed since then; -: if not",
      NULL },
    { 0, "etag-compare", WORD, FETCHING, AT(etag_compare), "FILE", "only if its ETag is not the file's", NULL },
    { 0, "etag-save", WORD, FETCHING, AT(etag_save), "FILE", "write its ETag there", NULL },
    { 'D', "dump-header", WORD, FETCHING, AT(dump_header), "FILE|-", "write the headers there, trailers too", NULL },
    { 'i', "include", FLAG, FETCHING, AT(include), NULL, "write the headers before the body", NULL },
    { 'i', "include", FLAG, COMMAND_BATCH, AT(include), NULL, "put the headers in the line", NULL },
    { 'I', "head", FLAG, FETCHING, AT(head), NULL, "ask for the headers only", NULL },
    { 'L', "location", FLAG, TALKING, AT(follow), NULL, "follow redirects", NULL },
    { 0, "max-redirs", CALL, TALKING, 0, "N", "at most so many, -1 without limit", take_max_redirects },
    { 0, "proto-redir", CALL, TALKING, 0, "PROTOCOLS", "redirects may lead there: =https, or =http,https",
      take_redirect_protocols },
    { 0, "max-filesize", BYTES, ASKING, AT(max_body_bytes), "BYTES", "a larger body is an error, code 63", NULL },
    { 0, "max-header-size", BYTES, ASKING, AT(max_header_bytes), "BYTES", "larger headers are an error", NULL },
    { 0, "fail-with-body", FLAG, FETCHING, AT(fail_with_body), NULL, "as --fail, and the body is written", NULL },
    { 'f', "fail", FLAG, ASKING, AT(fail), NULL, "a status of 400 and above is an error, code 22", NULL },
    { 'u', "user", SECRET, TALKING, AT(user), "USER:PASSWORD", "credentials for the origin", NULL },
    { 'x', "proxy", SECRET, TALKING, AT(proxy), "[SCHEME://]HOST[:PORT]", "go through this proxy", NULL },
    { 0, "basic", CALL, TALKING, 0, NULL, "show -u at once", take_basic },
    { 0, "digest", CALL, TALKING, 0, NULL, "show -u by Digest, as the origin asks", take_digest },
    { 0, "anyauth", CALL, TALKING, 0, NULL, "show -u as the origin asks", take_any_auth },
    { 0, "oauth2-bearer", SECRET, TALKING, AT(bearer), "TOKEN", "show this token to the origin", NULL },
    { 'U', "proxy-user", SECRET, TALKING, AT(proxy_user), "USER:PASSWORD", "credentials for the proxy", NULL },
    { 0, "proxy-basic", CALL, TALKING, 0, NULL, "show them at once", take_proxy_basic },
    { 0, "proxy-digest", CALL, TALKING, 0, NULL, "show them by Digest, as the proxy asks", take_proxy_digest },
    { 0, "proxy-anyauth", CALL, TALKING, 0, NULL, "show them as the proxy asks", take_proxy_any_auth },
    { 0, "socks4", SECRET_CALL, TALKING, 0, "HOST[:PORT]", "go through this SOCKS4 proxy", take_socks4 },
    { 0, "socks4a", SECRET_CALL, TALKING, 0, "HOST[:PORT]", "the same, it looks names up", take_socks4a },
    { 0, "socks5", SECRET_CALL, TALKING, 0, "HOST[:PORT]", "go through this SOCKS5 proxy", take_socks5 },
    { 0, "socks5-hostname", SECRET_CALL, TALKING, 0, "HOST[:PORT]", "the same, it looks names up", take_socks5_hostname },
    { 0, "proxy-cacert", WORD, TALKING, AT(proxy_ca_file), "FILE", "trust these (PEM) for an https:// proxy", NULL },
    { 0, "proxy-insecure", FLAG, TALKING, AT(proxy_insecure), NULL, "don't verify the proxy's certificate", NULL },
    { 0, "proxy-pool", WORD, TALKING, AT(proxy_pool), "NAME", "a proxy of the daemon's [proxy_pool \"NAME\"]", NULL },
    { 0, "proxy-key", WORD, TALKING, AT(proxy_key), "KEY", "one proxy of the pool for all with this key", NULL },
    { 0, "connect-to", WORDS, TALKING, AT(connect_to), "HOST:PORT:HOST2:PORT2", "connect to HOST2 in HOST's place",
      NULL },
    { 0, "pinnedpubkey", WORD, TALKING, AT(pinned_key), "sha256//BASE64", "the origin's public key", NULL },
    { '1', "tlsv1", CALL, TALKING, 0, NULL, "TLS 1.0 or later", take_tls_1_0 },
    { 0, "tlsv1.0", CALL, TALKING, 0, NULL, "TLS 1.0 or later", take_tls_1_0 },
    { 0, "tlsv1.1", CALL, TALKING, 0, NULL, "TLS 1.1 or later", take_tls_1_1 },
    { 0, "tlsv1.2", CALL, TALKING, 0, NULL, "TLS 1.2 or later", take_tls_1_2 },
    { 0, "tlsv1.3", CALL, TALKING, 0, NULL, "TLS 1.3 or later", take_tls_1_3 },
    { 0, "tls-max", CALL, TALKING, 0, "VERSION", "TLS up to 1.0, 1.1, 1.2 or 1.3", take_tls_max },
    { 0, "tls-timeout", SECONDS, TALKING, AT(tls_timeout_ms), "SECONDS", "for a TLS handshake", NULL },
    { 'k', "insecure", FLAG, TALKING, AT(insecure), NULL, "don't verify the origin's certificate", NULL },
    { 0, "extra-cacert", WORD, TALKING, AT(extra_ca_file), "FILE", "trust these (PEM) besides the system's", NULL },
    { 0, "cacert", WORD, TALKING, AT(ca_file), "FILE", "trust these certificates (PEM), not the system's",
      NULL },
    { 'E', "cert", WORD, TALKING, AT(cert_file), "FILE", "the client's certificate (PEM)", NULL },
    { 0, "key", WORD, TALKING, AT(key_file), "FILE", "its key (PEM)", NULL },
    { 0, "resolve", WORDS, TALKING, AT(resolve), "HOST:PORT:ADDRESS", "the address of a name", NULL },
    { 0, "compressed", FLAG, ASKING, AT(compressed), NULL, "ask for gzip, br, zstd and decode", NULL },
    { '0', "http1.0", CALL, ASKING, 0, NULL, "speak HTTP/1.0", take_http_1_0 },
    { 0, "http1.1", CALL, ASKING, 0, NULL, "speak HTTP/1.1", take_http_1_1 },
    { 0, "http2", CALL, ASKING, 0, NULL, "speak HTTP/2", take_http_2 },
    { 0, "http2-prior-knowledge", CALL, ASKING, 0, NULL, "speak nothing but HTTP/2, also over http:",
      take_http_2_only },
    { 0, "http3", CALL, ASKING, 0, NULL, "speak HTTP/3, or what TLS agrees on where UDP is stopped",
      take_http_3 },
    { 0, "http3-only", CALL, ASKING, 0, NULL, "speak nothing but HTTP/3", take_http_3_only },
    { 'm', "max-time", SECONDS, TALKING, AT(max_time_ms), "SECONDS", "for the whole request", NULL },
    { 0, "connect-timeout", SECONDS, TALKING, AT(connect_timeout_ms), "SECONDS", "until connected", NULL },
    { 0, "limit-rate", BYTES, ASKING, AT(limit_rate_bytes), "SPEED", "bytes a second; k, m, g", NULL },
    { 0, "retry", NUMBER, FETCHING | COMMAND_BATCH, AT(retry), "N",
      "attempts after the first when a failure may pass", NULL },
    { 's', "silent", FLAG, TALKING, AT(silent), NULL, "no progress, no error messages", NULL },
    { 'S', "show-error", FLAG, TALKING, AT(show_error), NULL, "error messages in spite of -s", NULL },
    { 'v', "verbose", FLAG, FETCHING | COMMAND_WS, AT(verbose), NULL,
      "say what happens, credentials left out", NULL },
    { 'w', "write-out", WORD, FETCHING, AT(write_out), "FORMAT|@FILE",
      "print this afterwards, %{http_code} and others", NULL },
    { 0, "ssl-reqd", FLAG, ASKING, AT(ssl_required), NULL, "FTP: encrypt, or fail", NULL },
    { 0, "ssl", FLAG, ASKING, AT(ssl_tried), NULL, "FTP: encrypt if the server can", NULL },
    { 'l', "list-only", FLAG, ASKING, AT(list_only), NULL, "FTP: names only of a folder", NULL },
    { 'a', "append", FLAG, FETCHING & SENDING, AT(append), NULL, "FTP: -T appends to the file there", NULL },
    { 0, "ftp-create-dirs", FLAG, FETCHING & SENDING, AT(ftp_create_dirs), NULL,
      "FTP: make the folders that are missing", NULL },
    { 0, "subprotocol", WORDS, COMMAND_WS, AT(subprotocols), "NAME", "offer this one; best first", NULL },
    { 0, "binary", FLAG, COMMAND_WS, AT(binary), NULL, "lines go out as binary messages", NULL },
    { 0, "count", NUMBER, COMMAND_WS, AT(count), "N", "close after N messages came, not at the end of stdin",
      NULL },
    { 0, "ping", SECONDS, COMMAND_WS, AT(ping_ms), "SECONDS", "a keep-alive ping so often", NULL },
    { 0, "reconnect", FLAG, COMMAND_WS, AT(reconnect), NULL, "open it again when its worker is lost", NULL },
    { 0, "interval", SECONDS, COMMAND_TOP, AT(interval_ms), "SECONDS", "between two looks (1)", NULL },
    { 0, "fresh", FLAG, ASKING, AT(fresh), NULL, "a connection of its own for each request", NULL },
    { 0, "concurrency", NUMBER, COMMAND_BATCH | COMMAND_BENCH, AT(concurrency), "N", "so many at once (32)",
      NULL },
    { 0, "per-origin", NUMBER, COMMAND_BATCH, AT(per_origin), "N", "so many at once to one origin", NULL },
    { 0, "output-dir", WORD, COMMAND_BATCH, AT(output_dir), "DIR", "write each body to a file there", NULL },
    { 0, "with-body", FLAG, COMMAND_BATCH, AT(with_body), NULL, "put the body in its line", NULL },
    { 0, "resume", FLAG, COMMAND_BATCH, AT(resume), NULL, "leave out what -o FILE has answered", NULL },
    { 0, "hash", FLAG, COMMAND_BATCH, AT(hash), NULL, "put the SHA-256 of the body in the line", NULL },
    { 0, "requests", NUMBER, COMMAND_BENCH, AT(requests), "N", "so many in all (1000)", NULL },
    { 0, "connections", NUMBER, COMMAND_BENCH, AT(connections), "N", "connections to the daemon (1)", NULL },
    { 0, "expect-bytes", CALL, COMMAND_BENCH, 0, "N", "another size of the body is an error",
      take_expect_bytes },
    { 0, "json", FLAG, COMMAND_STATUS | COMMAND_WORKERS | COMMAND_BENCH | COMMAND_SESSION, AT(as_json), NULL,
      "print JSON", NULL },
    { 0, "doh-url", UNSUPPORTED, TALKING, 0, "URL", "the operator sets it: [dns] doh_url", NULL },
    { 'P', "ftp-port", UNSUPPORTED, ASKING, 0, "ADDRESS", "a worker never listens; FTP is passive only", NULL },
};

#define TABLE_LENGTH (sizeof table / sizeof table[0])

/* ---- values ---- */

static int refuse(const char *name, const char *argument, const char *wanted)
{
    say("%s: '%s' is not %s", name, argument, wanted);
    return EXIT_USAGE;
}

static int read_number(const char *text, const char **ret_rest, uint64_t *ret_value)
{
    char *rest;
    if (*text < '0' || *text > '9')
        return -1;
    errno = 0;
    unsigned long long value = strtoull(text, &rest, 10);
    if (errno)
        return -1;
    *ret_rest = rest;
    *ret_value = value;
    return 0;
}

static int take_number(const char *name, const char *argument, uint64_t *ret_value)
{
    const char *rest;
    if (read_number(argument, &rest, ret_value) < 0 || *rest)
        return refuse(name, argument, "a number");
    return 0;
}

static int take_bytes(const char *name, const char *argument, uint64_t *ret_value)
{
    static const char suffixes[] = "bkmgtp";
    const char *rest;
    uint64_t value;
    if (read_number(argument, &rest, &value) < 0 || (*rest && rest[1]))
        return refuse(name, argument, "a number of bytes");
    const char *suffix = *rest ? strchr(suffixes, *rest | 0x20) : suffixes;
    if (!suffix || !*suffix)
        return refuse(name, argument, "a number of bytes");
    unsigned shift = (unsigned)(suffix - suffixes) * 10;
    if (value > UINT64_MAX >> shift)
        return refuse(name, argument, "a possible number of bytes");
    *ret_value = value << shift;
    return 0;
}

static int take_seconds(const char *name, const char *argument, uint64_t *ret_ms)
{
    char *rest;
    double seconds = strtod(argument, &rest);
    if (rest == argument || *rest || !isfinite(seconds) || seconds < 0 || seconds > 4000000
        || *argument == '-')
        return refuse(name, argument, "a number of seconds");
    *ret_ms = (uint64_t)(seconds * 1000 + 0.5);
    if (seconds > 0 && *ret_ms == 0)
        *ret_ms = 1;
    return 0;
}

/* ---- the functions of the table ---- */

static void begin_data(struct options *options, char separator)
{
    if (options->has_data && separator)
        text_add_char(&options->data, separator);
    options->has_data = true;
}

static int add_file(struct options *options, const char *path)
{
    if (file_read(path, &options->data) == 0)
        return 0;
    say("can't read %s: %s", path, strerror(errno));
    return EXIT_READ;
}

/* As curl does for -d @file. */
static void strip_line_ends(struct text *data, size_t from)
{
    size_t kept = from;
    for (size_t i = from; i < data->length; i++)
        if (data->data[i] != '\r' && data->data[i] != '\n' && data->data[i] != '\0')
            data->data[kept++] = data->data[i];
    data->length = kept;
}

static int take_data_binary(struct options *options, const char *argument)
{
    begin_data(options, '&');
    if (argument[0] == '@')
        return add_file(options, argument + 1);
    text_add_string(&options->data, argument);
    return 0;
}

static int take_data(struct options *options, const char *argument)
{
    size_t from = options->data.length + (options->has_data ? 1 : 0);
    int code = take_data_binary(options, argument);
    if (code == 0 && argument[0] == '@')
        strip_line_ends(&options->data, from);
    return code;
}

static int take_data_raw(struct options *options, const char *argument)
{
    begin_data(options, '&');
    text_add_string(&options->data, argument);
    return 0;
}

/* Where a value to encode comes from: "content", "=content", "name=content", "@file", "name@file". */
static int add_encoded(struct text *out, const char *argument)
{
    size_t length = strcspn(argument, "=@");
    struct text content = { 0 };
    int code = 0;
    if (argument[length] == '@' && file_read(argument + length + 1, &content) < 0) {
        say("can't read %s: %s", argument + length + 1, strerror(errno));
        code = EXIT_READ;
    } else if (argument[length] == '=') {
        text_add_string(&content, argument + length + 1);
    } else if (!argument[length]) {
        text_add_string(&content, argument);
        length = 0;
    }
    if (length > 0) {
        text_add(out, argument, length);
        text_add_char(out, '=');
    }
    must_have(!content.failed);
    query_encode(out, content.data, content.length);
    text_finish(&content);
    return code;
}

static int take_data_urlencode(struct options *options, const char *argument)
{
    begin_data(options, '&');
    return add_encoded(&options->data, argument);
}

static int take_url_query(struct options *options, const char *argument)
{
    if (options->query.length > 0)
        text_add_char(&options->query, '&');
    if (argument[0] != '+')
        return add_encoded(&options->query, argument);
    text_add_string(&options->query, argument + 1);
    return 0;
}

/* curl's lists: "=https" sets, "+" adds, "-" takes away; fetchd follows to http and https only. */
static int take_redirect_protocols(struct options *options, const char *argument)
{
    bool http = true, https = true;
    for (const char *at = argument; *at;) {
        char how = strchr("=+-", *at) ? *at++ : '+';
        size_t length = strcspn(at, ",");
        bool all = length == 3 && strncasecmp(at, "all", 3) == 0;
        bool named = strncasecmp(at, "http", 4) == 0 && (length == 4 || (length == 5 && (at[4] | 0x20) == 's'));
        if (!all && !named)
            return refuse("--proto-redir", argument, "a list of http and https");
        if (how == '=')
            http = https = false;
        if (all || length == 4)
            http = how != '-';
        if (all || length == 5)
            https = how != '-';
        at += length + (at[length] == ',');
    }
    if (!https)
        return refuse("--proto-redir", argument, "a list that leaves https");
    options->redirect_https_only = !http;
    return 0;
}

static int take_json(struct options *options, const char *argument)
{
    begin_data(options, '\0');
    options->data_is_json = true;
    if (argument[0] == '@')
        return add_file(options, argument + 1);
    text_add_string(&options->data, argument);
    return 0;
}

static int take_remote_name(struct options *options, const char *argument)
{
    (void)argument;
    strings_add(&options->outputs, NULL);
    return 0;
}

static int take_max_redirects(struct options *options, const char *argument)
{
    uint64_t value;
    if (strcmp(argument, "-1") == 0) {
        options->max_redirects = -1;
        return 0;
    }
    if (take_number("--max-redirs", argument, &value) != 0 || value > 1000)
        return refuse("--max-redirs", argument, "a number up to 1000, nor -1");
    options->max_redirects = (int64_t)value;
    return 0;
}

static int take_http_1_0(struct options *options, const char *argument)
{
    (void)argument;
    options->http_version = "1.0";
    return 0;
}

static int take_http_1_1(struct options *options, const char *argument)
{
    (void)argument;
    options->http_version = "1.1";
    return 0;
}

static int take_http_2(struct options *options, const char *argument)
{
    (void)argument;
    options->http_version = "2";
    return 0;
}

static int take_http_2_only(struct options *options, const char *argument)
{
    (void)argument;
    options->http_version = "2-only";
    return 0;
}

static int take_http_3(struct options *options, const char *argument)
{
    (void)argument;
    options->http_version = "3";
    return 0;
}

static int take_http_3_only(struct options *options, const char *argument)
{
    (void)argument;
    options->http_version = "3-only";
    return 0;
}

static int take_expect_bytes(struct options *options, const char *argument)
{
    options->has_expect_bytes = true;
    return take_bytes("--expect-bytes", argument, &options->expect_bytes);
}

static int take_basic(struct options *options, const char *argument)
{
    (void)argument;
    options->auth = "basic";
    return 0;
}

static int take_digest(struct options *options, const char *argument)
{
    (void)argument;
    options->auth = "digest";
    return 0;
}

static int take_any_auth(struct options *options, const char *argument)
{
    (void)argument;
    options->auth = "any";
    return 0;
}

static int take_proxy_basic(struct options *options, const char *argument)
{
    (void)argument;
    options->proxy_auth = "basic";
    return 0;
}

static int take_proxy_digest(struct options *options, const char *argument)
{
    (void)argument;
    options->proxy_auth = "digest";
    return 0;
}

static int take_proxy_any_auth(struct options *options, const char *argument)
{
    (void)argument;
    options->proxy_auth = "any";
    return 0;
}

static int take_tls_1_0(struct options *options, const char *argument)
{
    (void)argument;
    options->tls_min = "1.0";
    return 0;
}

static int take_tls_1_1(struct options *options, const char *argument)
{
    (void)argument;
    options->tls_min = "1.1";
    return 0;
}

static int take_tls_1_2(struct options *options, const char *argument)
{
    (void)argument;
    options->tls_min = "1.2";
    return 0;
}

static int take_tls_1_3(struct options *options, const char *argument)
{
    (void)argument;
    options->tls_min = "1.3";
    return 0;
}

static int take_tls_max(struct options *options, const char *argument)
{
    static const char *const versions[] = { "1.0", "1.1", "1.2", "1.3" };
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        if (strcmp(argument, versions[i]) == 0) {
            options->tls_max = versions[i];
            return 0;
        }
    }
    if (strcmp(argument, "default") == 0)
        return 0;
    return refuse("--tls-max", argument, "1.0, 1.1, 1.2 or 1.3");
}

/* HOST may come with a user and password, as in -x. */
static int take_socks(struct options *options, const char *scheme, const char *argument)
{
    if (strstr(argument, "://")) {
        say("--%s: write HOST[:PORT], without a scheme", strcmp(scheme, "socks5h") == 0 ? "socks5-hostname" : scheme);
        return EXIT_USAGE;
    }
    free(options->proxy);
    options->proxy = must_print("%s://%s", scheme, argument);
    return 0;
}

static int take_socks4(struct options *options, const char *argument)
{
    return take_socks(options, "socks4", argument);
}

static int take_socks4a(struct options *options, const char *argument)
{
    return take_socks(options, "socks4a", argument);
}

static int take_socks5(struct options *options, const char *argument)
{
    return take_socks(options, "socks5", argument);
}

static int take_socks5_hostname(struct options *options, const char *argument)
{
    return take_socks(options, "socks5h", argument);
}

/* ---- reading ---- */

static void put_word(struct options *options, const struct option *option, const char *argument)
{
    char **place = (char **)(void *)((char *)options + option->offset);
    free(*place);
    *place = must_copy(argument);
}

static int apply(struct options *options, const struct option *option, const char *spelled, char *argument)
{
    void *place = (char *)options + option->offset;
    switch (option->kind) {
    case FLAG: *(bool *)place = true; return 0;
    case WORD: put_word(options, option, argument); return 0;
    case SECRET:
        put_word(options, option, argument);
        memset(argument, '*', strlen(argument));
        return 0;
    case WORDS: strings_add(place, argument); return 0;
    case SECONDS: return take_seconds(spelled, argument, place);
    case BYTES: return take_bytes(spelled, argument, place);
    case NUMBER: return take_number(spelled, argument, place);
    case CALL: return option->call(options, argument);
    case SECRET_CALL: {
        int code = option->call(options, argument);
        memset(argument, '*', strlen(argument));
        return code;
    }
    case UNSUPPORTED:
        say("%s is not supported yet: %s", spelled, option->help);
        return EXIT_UNSUPPORTED;
    }
    return EXIT_USAGE;
}

static const struct option *find(unsigned command, char letter, const char *name, size_t length)
{
    const struct option *elsewhere = NULL;
    for (size_t i = 0; i < TABLE_LENGTH; i++) {
        const struct option *option = &table[i];
        bool same = letter ? option->letter == letter
                           : strlen(option->name) == length && memcmp(option->name, name, length) == 0;
        if (same && (option->commands & command))
            return option;
        if (same)
            elsewhere = option;
    }
    return elsewhere;
}

static int refuse_option(const struct option *option, const char *spelled)
{
    if (option)
        say("option %s is not one of this command; try 'fetchctl help'", spelled);
    else
        say("option %s is unknown; try 'fetchctl help'", spelled);
    return EXIT_USAGE;
}

/* One option; `attached` is what stands in the same word, NULL for nothing. */
static int take_option(struct options *options, const struct option *option, const char *spelled,
                       char *attached, int argc, char **argv, int *at)
{
    if (!option || !(option->commands & options->command))
        return refuse_option(option, spelled);
    if (!option->argument || option->kind == UNSUPPORTED)
        return apply(options, option, spelled, attached);
    if (!attached) {
        if (*at + 1 >= argc) {
            say("option %s needs %s", spelled, option->argument);
            return EXIT_USAGE;
        }
        attached = argv[++*at];
    }
    return apply(options, option, spelled, attached);
}

static int take_long(struct options *options, int argc, char **argv, int *at)
{
    char *word = argv[*at], *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2;
    const struct option *option = find(options->command, 0, word + 2, length);
    char *spelled = must_copy_bytes(word, length + 2);
    int code;
    if (equals && option && !option->argument) {
        say("option %s takes no value", spelled);
        code = EXIT_USAGE;
    } else {
        code = take_option(options, option, spelled, equals ? equals + 1 : NULL, argc, argv, at);
    }
    free(spelled);
    return code;
}

/* -sSo FILE and -oFILE, as curl reads them. */
static int take_short(struct options *options, int argc, char **argv, int *at)
{
    for (char *letter = argv[*at] + 1; *letter; letter++) {
        const char spelled[] = { '-', *letter, '\0' };
        const struct option *option = find(options->command, *letter, NULL, 0);
        bool takes = option && option->argument;
        char *attached = takes && letter[1] ? letter + 1 : NULL;
        int code = take_option(options, option, spelled, attached, argc, argv, at);
        if (code != 0 || takes)
            return code;
    }
    return 0;
}

int options_parse(struct options *options, unsigned command, int argc, char **argv, int first)
{
    bool only_words = false;
    *options = (struct options){ .command = command, .max_redirects = -2, .concurrency = 32, .requests = 1000,
                                 .connections = 1, .interval_ms = 1000 };
    for (int at = first; at < argc; at++) {
        const char *word = argv[at];
        int code = 0;
        if (only_words || word[0] != '-' || !word[1])
            strings_add(&options->words, word);
        else if (strcmp(word, "--") == 0)
            only_words = true;
        else if (word[1] == '-')
            code = take_long(options, argc, argv, &at);
        else
            code = take_short(options, argc, argv, &at);
        if (code != 0)
            return code;
    }
    return 0;
}

void options_finish(struct options *options)
{
    for (size_t i = 0; i < TABLE_LENGTH; i++) {
        void *place = (char *)options + table[i].offset;
        if (table[i].kind == WORDS)
            strings_finish(place);
        if (table[i].kind != WORD && table[i].kind != SECRET)
            continue;
        char **word = place;
        if (table[i].kind == SECRET && *word)
            explicit_bzero(*word, strlen(*word));
        free(*word);
        *word = NULL;
    }
    strings_finish(&options->words);
    text_finish(&options->data);
    text_finish(&options->query);
}

bool options_row(size_t index, struct option_row *ret_row)
{
    if (index >= TABLE_LENGTH)
        return false;
    const struct option *option = &table[index];
    *ret_row = (struct option_row){
        .letter = option->letter, .name = option->name, .argument = option->argument, .help = option->help,
        .commands = option->commands, .repeats = option->kind == WORDS || option->kind == CALL,
        .supported = option->kind != UNSUPPORTED,
    };
    return true;
}

bool options_any(unsigned commands)
{
    for (size_t i = 0; i < TABLE_LENGTH; i++)
        if ((table[i].commands & commands) && table[i].kind != UNSUPPORTED)
            return true;
    return false;
}

void options_print(FILE *out, unsigned commands)
{
    for (size_t i = 0; i < TABLE_LENGTH; i++) {
        const struct option *option = &table[i];
        char left[64];
        if (!(option->commands & commands) || option->kind == UNSUPPORTED)
            continue;
        snprintf(left, sizeof left, "%c%c%c --%s %s", option->letter ? '-' : ' ',
                 option->letter ? option->letter : ' ', option->letter ? ',' : ' ', option->name,
                 option->argument ? option->argument : "");
        fprintf(out, "  %-42s %s\n", left, option->help);
    }
}
