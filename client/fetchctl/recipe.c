/* Options to a request. */
#include "recipe.h"

#include "client/query.h"
#include "cookies.h"
#include "date.h"
#include "etag.h"
#include "file.h"
#include "memory.h"
#include "say.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MOST_ATTEMPTS 100

static void add_header(struct recipe *recipe, const char *name, size_t name_length, const char *value)
{
    recipe->headers = must_resize(recipe->headers, recipe->header_count + 1, sizeof *recipe->headers);
    recipe->headers[recipe->header_count++] = (struct fetchd_header){
        must_copy_bytes(name, name_length), value ? must_copy(value) : NULL,
    };
}

void recipe_add_default(struct recipe *recipe, const char *name, const char *value)
{
    for (size_t i = 0; i < recipe->header_count; i++)
        if (strcasecmp(recipe->headers[i].name, name) == 0)
            return;
    add_header(recipe, name, strlen(name), value);
    recipe->options.headers = recipe->headers;
    recipe->options.header_count = recipe->header_count;
}

/* "Name: value", or "Name;" for one without a value, or "Name:" for one that is left out. */
static int take_header(struct recipe *recipe, const char *line)
{
    size_t length = strcspn(line, ":;");
    const char *value = line + length;
    if (length == 0 || !*value) {
        say("-H '%s': a header is written 'Name: value'", line);
        return EXIT_USAGE;
    }
    if (*value == ';' && value[1]) {
        say("-H '%s': nothing may follow the ; of a header without a value", line);
        return EXIT_USAGE;
    }
    bool is_empty = *value == ';';
    value += 1 + strspn(value + 1, " \t");
    add_header(recipe, line, length, *value || is_empty ? value : NULL);
    return 0;
}

static int take_header_file(struct recipe *recipe, const char *path)
{
    struct text lines = { 0 };
    int code = 0;
    if (file_read(path, &lines) < 0) {
        say("can't read %s: %s", path, strerror(errno));
        code = EXIT_READ;
    }
    for (char *line = lines.data, *next; code == 0 && line && *line; line = next) {
        size_t length = strcspn(line, "\r\n");
        next = line + length + strspn(line + length, "\r\n");
        line[length] = '\0';
        code = length > 0 ? take_header(recipe, line) : 0;
    }
    text_finish(&lines);
    return code;
}

static int take_headers(struct recipe *recipe, const struct options *options)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < options->headers.count; i++) {
        const char *line = options->headers.items[i];
        code = line[0] == '@' ? take_header_file(recipe, line + 1) : take_header(recipe, line);
    }
    return code;
}

static void take_cookies(struct recipe *recipe, const struct options *options)
{
    char *header = cookies_header(options);
    if (header)
        recipe_add_default(recipe, "Cookie", header);
    free(header);
}

static int take_range(struct recipe *recipe, const char *range)
{
    if (!range)
        return 0;
    if (!range[strcspn(range, "-")] || range[strspn(range, "0123456789-,")]) {
        say("-r '%s': a range is written 0-499, 500- or -500", range);
        return EXIT_USAGE;
    }
    char *value = must_print("bytes=%s", range);
    recipe_add_default(recipe, "Range", value);
    free(value);
    return 0;
}

/* -z, by curl's rule: a date, or else a file whose time is meant. */
static int take_time_condition(struct recipe *recipe, const char *condition)
{
    char date[DATE_BYTES];
    if (!condition)
        return 0;
    bool unmodified = *condition == '-';
    const char *text = condition + (unmodified ? 1 : 0);
    time_t when;
    if (date_read(text, &when) < 0 && file_time(text, &when) < 0) {
        say("-z '%s': neither a date nor a file that is there", condition);
        return EXIT_USAGE;
    }
    date_write(when, date);
    recipe_add_default(recipe, unmodified ? "If-Unmodified-Since" : "If-Modified-Since", date);
    return 0;
}

static int take_etag(struct recipe *recipe, const struct options *options)
{
    if (!options->etag_compare)
        return 0;
    char *etag = etag_read(options->etag_compare);
    if (!etag)
        return EXIT_READ;
    recipe_add_default(recipe, "If-None-Match", etag);
    free(etag);
    return 0;
}

static int read_pem(const char *path, struct text *out, int code)
{
    if (!path || file_read(path, out) == 0)
        return 0;
    say("can't read %s: %s", path, strerror(errno));
    return code;
}

static int take_certificates(struct recipe *recipe, const struct options *options)
{
    const char *ca_file = options->ca_file ? options->ca_file : options->extra_ca_file;
    if (options->ca_file && options->extra_ca_file) {
        say("--cacert trusts nothing else, so --extra-cacert can't go with it");
        return EXIT_USAGE;
    }
    int code = read_pem(ca_file, &recipe->ca, EXIT_CA_FILE);
    if (code == 0)
        code = read_pem(options->proxy_ca_file, &recipe->proxy_ca, EXIT_CA_FILE);
    if (code == 0)
        code = read_pem(options->cert_file, &recipe->cert, EXIT_CERTIFICATE);
    if (code == 0)
        code = read_pem(options->key_file, &recipe->key, EXIT_CERTIFICATE);
    if (code == 0 && options->cert_file && !options->key_file)
        text_add(&recipe->key, recipe->cert.data, recipe->cert.length);   /* one file often has both */
    struct fetchd_options *asked = &recipe->options;
    asked->ca_pem = recipe->ca.data;
    asked->ca_pem_size = recipe->ca.length;
    asked->ca_extends = options->extra_ca_file != NULL;
    asked->proxy_ca_pem = recipe->proxy_ca.data;
    asked->proxy_ca_pem_size = recipe->proxy_ca.length;
    asked->cert_pem = recipe->cert.data;
    asked->cert_pem_size = recipe->cert.length;
    asked->key_pem = recipe->key.data;
    asked->key_pem_size = recipe->key.length;
    return code;
}

static int check_user(const char *option, const char *user)
{
    if (!user || strchr(user, ':'))
        return 0;
    say("%s: write user:password; fetchctl does not ask for a password", option);
    return EXIT_USAGE;
}

static int take_user(struct fetchd_options *asked, const struct options *options)
{
    asked->credentials = options->user;
    asked->auth = options->auth;
    asked->bearer = options->bearer;
    asked->proxy_credentials = options->proxy_user;
    asked->proxy_auth = options->proxy_auth;
    int code = check_user("-u", options->user);
    return code == 0 ? check_user("--proxy-user", options->proxy_user) : code;
}

static const char *method(const struct options *options)
{
    static const struct { unsigned command; const char *method; } methods[] = {
        { COMMAND_HEAD, "HEAD" }, { COMMAND_POST, "POST" }, { COMMAND_PUT, "PUT" },
        { COMMAND_DELETE, "DELETE" },
    };
    if (options->method)
        return options->method;
    if (options->head)
        return "HEAD";
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (methods[i].command == options->command)
            return methods[i].method;
    if (options->upload)
        return options->append ? "POST" : "PUT";
    bool posts = options->has_data && !options->data_in_query;
    return posts || options->forms.count > 0 ? "POST" : "GET";
}

static int max_redirects(int64_t given)
{
    if (given == -2)
        return 0;
    if (given == -1)
        return 1000;
    return given == 0 ? -1 : (int)given;
}

static void take_plain(struct fetchd_options *asked, const struct options *options)
{
    asked->size = sizeof *asked;
    asked->method = method(options);
    asked->follow = options->follow;
    asked->max_redirects = max_redirects(options->max_redirects);
    asked->compressed = options->compressed;
    asked->fresh = options->fresh;
    asked->http_version = options->http_version;
    asked->connect_timeout_ms = (unsigned)options->connect_timeout_ms;
    asked->total_timeout_ms = (unsigned)options->max_time_ms;
    asked->rate_bytes = options->limit_rate_bytes;
    asked->expect_timeout_ms = (unsigned)options->expect_timeout_ms;
    asked->redirect_https_only = options->redirect_https_only;
    asked->max_body_bytes = options->max_body_bytes;
    asked->max_header_bytes = options->max_header_bytes;
    asked->proxy = options->proxy;
    asked->resolve = (const char *const *)options->resolve.items;
    asked->resolve_count = options->resolve.count;
    asked->connect_to = (const char *const *)options->connect_to.items;
    asked->connect_to_count = options->connect_to.count;
    asked->insecure = options->insecure;
    asked->session = options->session;
    asked->pinned_key = options->pinned_key;
    asked->tls_min = options->tls_min;
    asked->tls_max = options->tls_max;
    asked->tls_timeout_ms = (unsigned)options->tls_timeout_ms;
    asked->proxy_insecure = options->proxy_insecure;
    asked->proxy_pool = options->proxy_pool;
    asked->proxy_key = options->proxy_key;
    asked->ftp_tls = options->ssl_required ? "require" : options->ssl_tried ? "try" : NULL;
    asked->list_names = options->list_only;
    asked->ftp_create_dirs = options->ftp_create_dirs;
    if (options->retry > 0) {
        asked->attempts = options->retry < MOST_ATTEMPTS ? (unsigned)options->retry + 1 : MOST_ATTEMPTS;
        asked->retry_5xx = true;
    }
}

int recipe_init(struct recipe *recipe, const struct options *options)
{
    *recipe = (struct recipe){ 0 };
    take_plain(&recipe->options, options);
    int code = take_user(&recipe->options, options);
    if (code == 0)
        code = take_headers(recipe, options);
    if (code == 0 && options->user_agent)
        recipe_add_default(recipe, "User-Agent", options->user_agent);
    if (code == 0 && options->referer)
        recipe_add_default(recipe, "Referer", options->referer);
    if (code == 0)
        take_cookies(recipe, options);
    if (code == 0)
        code = take_range(recipe, options->range);
    if (code == 0)
        code = take_time_condition(recipe, options->time_condition);
    if (code == 0)
        code = take_etag(recipe, options);
    if (code == 0 && options->data_is_json) {
        recipe_add_default(recipe, "Content-Type", "application/json");
        recipe_add_default(recipe, "Accept", "application/json");
    } else if (code == 0 && options->has_data && !options->data_in_query) {
        recipe_add_default(recipe, "Content-Type", "application/x-www-form-urlencoded");
    }
    if (code == 0)
        code = take_certificates(recipe, options);
    recipe->options.headers = recipe->headers;
    recipe->options.header_count = recipe->header_count;
    return code;
}

char *recipe_url(const struct options *options, const char *url)
{
    struct text query = { 0 }, whole = { 0 };
    if (options->data_in_query)
        text_add(&query, options->data.data, options->data.length);
    if (query.length > 0 && options->query.length > 0)
        text_add_char(&query, '&');
    text_add(&query, options->query.data, options->query.length);
    if (query.length > 0)
        query_append(&whole, url, query.data);
    else
        text_add_string(&whole, url);
    must_have(!options->data.failed && !options->query.failed && !query.failed && !whole.failed);
    text_finish(&query);
    char *copy = must_copy(whole.data ? whole.data : "");
    text_finish(&whole);
    return copy;
}

void recipe_finish(struct recipe *recipe)
{
    for (size_t i = 0; i < recipe->header_count; i++) {
        free((char *)(uintptr_t)recipe->headers[i].name);
        free((char *)(uintptr_t)recipe->headers[i].value);
    }
    free(recipe->headers);
    text_finish(&recipe->ca);
    text_finish(&recipe->proxy_ca);
    text_finish(&recipe->cert);
    text_finish(&recipe->key);
}
