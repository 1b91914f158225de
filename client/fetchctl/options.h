/* The command line. Options carry curl's names and meanings; all of them stand in one table. */
#ifndef FETCHCTL_OPTIONS_H
#define FETCHCTL_OPTIONS_H

#include "client/text.h"
#include "strings.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
    COMMAND_GET = 1, COMMAND_HEAD = 2, COMMAND_POST = 4, COMMAND_PUT = 8, COMMAND_DELETE = 16,
    COMMAND_REQUEST = 32, COMMAND_BATCH = 64, COMMAND_BENCH = 128, COMMAND_STATUS = 256,
    COMMAND_METRICS = 512, COMMAND_RELOAD = 1024, COMMAND_DRAIN = 2048, COMMAND_WS = 4096,
    COMMAND_WORKERS = 8192, COMMAND_TOP = 16384, COMMAND_COMPLETION = 32768,
    COMMAND_SESSION = 65536,
};

#define COMMANDS_FETCHING \
    (COMMAND_GET | COMMAND_HEAD | COMMAND_POST | COMMAND_PUT | COMMAND_DELETE | COMMAND_REQUEST)

/* Exit codes of our own making; all others come from the table of error names. */
enum {
    EXIT_USAGE = 2, EXIT_UNSUPPORTED = 4, EXIT_PARTIAL = 18, EXIT_HTTP_ERROR = 22, EXIT_WRITE = 23,
    EXIT_READ = 26, EXIT_RANGE = 33, EXIT_SEND = 55, EXIT_CERTIFICATE = 58, EXIT_CA_FILE = 77, EXIT_DENIED = 112,
};

struct options {
    unsigned command;
    struct strings words;          /* what is no option: URLs, a file */
    struct strings headers, forms, resolve;
    struct strings outputs;        /* in the order of -o and -O; NULL is -O */
    struct text data;              /* all -d, joined */
    struct text query;             /* all --url-query, joined and encoded */
    bool has_data, data_is_json, data_in_query;
    char *method, *upload, *proxy, *user, *user_agent, *referer, *range, *continue_at, *write_out;
    char *ca_file, *extra_ca_file, *cert_file, *key_file, *pinned_key;
    char *bearer, *proxy_user, *proxy_pool, *proxy_key, *proxy_ca_file;
    const char *auth, *proxy_auth, *tls_min, *tls_max;
    struct strings connect_to;
    uint64_t tls_timeout_ms;
    bool proxy_insecure;
    char *time_condition, *etag_save, *etag_compare, *dump_header;
    const char *http_version;
    bool head, include, follow, insecure, silent, show_error, verbose, fail, create_dirs, compressed, fresh;
    bool fail_with_body, redirect_https_only;
    uint64_t max_time_ms, connect_timeout_ms, limit_rate_bytes, expect_timeout_ms;
    uint64_t max_body_bytes, max_header_bytes;
    int64_t max_redirects;         /* -2: not given; -1: no limit */
    uint64_t retry;
    uint64_t concurrency, requests, connections;
    uint64_t expect_bytes;
    bool has_expect_bytes, hash, as_json;
    char *output_dir;
    bool resume, with_body;
    uint64_t per_origin;           /* 0: no limit */
    bool ssl_required, ssl_tried, list_only, append, ftp_create_dirs;
    struct strings subprotocols;
    struct strings cookies;        /* -b, cookies and files */
    char *session, *cookie_jar;
    bool junk_session, persistent;
    bool binary, reconnect;
    uint64_t count;                /* 0: not given */
    uint64_t ping_ms, interval_ms;
};

/* Reads argv[first] and what follows. 0, or the exit code, the reason already said. Secrets are
 * overwritten in argv, so that ps does not show them. */
int options_parse(struct options *options, unsigned command, int argc, char **argv, int first);
void options_finish(struct options *options);

/* A row of the table, for those who write about it. */
struct option_row {
    char letter;               /* 0: none */
    const char *name, *argument, *help;   /* argument NULL: it takes none */
    unsigned commands;
    bool repeats, supported;
};

/* False when there are not so many. */
bool options_row(size_t index, struct option_row *ret_row);

/* True when some command of these has an option. */
bool options_any(unsigned commands);

/* The options of some commands, a line each. */
void options_print(FILE *out, unsigned commands);

#endif
