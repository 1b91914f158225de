/* Variables by one table. */
#include "writeout.h"

#include "options.h"
#include "say.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef void print_variable(FILE *out, const struct writeout *values);

/* ---- the values ---- */

static void print_us(FILE *out, uint64_t us)
{
    fprintf(out, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

static uint64_t speed(const struct writeout *values, uint64_t bytes)
{
    return values->done->total_us > 0 ? (uint64_t)((double)bytes * 1e6 / (double)values->done->total_us) : 0;
}

static const char *header(const struct writeout *values, const char *name)
{
    const char *value = values->response ? fetchd_find_header(values->response, name) : NULL;
    return value ? value : "";
}

static void print_content_type(FILE *out, const struct writeout *values)
{
    fputs(header(values, "content-type"), out);
}

static void print_errormsg(FILE *out, const struct writeout *values)
{
    fputs(values->error_message, out);
}

static void print_exitcode(FILE *out, const struct writeout *values)
{
    fprintf(out, "%d", values->exit_code);
}

static void print_filename(FILE *out, const struct writeout *values)
{
    fputs(values->file, out);
}

static void print_status(FILE *out, const struct writeout *values)
{
    bool is_ftp = values->response && !values->response->http_version[0];
    unsigned status = values->response ? values->response->status : 0;
    fprintf(out, "%03u", is_ftp && values->done->status ? values->done->status : status);
}

static void print_http_version(FILE *out, const struct writeout *values)
{
    fputs(values->response && values->response->http_version[0] ? values->response->http_version : "0", out);
}

static void print_method(FILE *out, const struct writeout *values)
{
    fputs(values->options->method ? values->options->method : "GET", out);
}

static void print_num_connects(FILE *out, const struct writeout *values)
{
    fprintf(out, "%d", values->done->reused || !values->done->remote[0] ? 0 : 1);
}

static void print_num_headers(FILE *out, const struct writeout *values)
{
    fprintf(out, "%zu", values->response ? values->response->header_count : 0);
}

static void print_num_redirects(FILE *out, const struct writeout *values)
{
    fprintf(out, "%u", values->redirects);
}

static void print_num_retries(FILE *out, const struct writeout *values)
{
    fprintf(out, "%" PRIu64, values->retries);
}

/* "address:port" or "[address]:port" */
static void print_remote_ip(FILE *out, const struct writeout *values)
{
    const char *remote = values->done->remote, *colon = strrchr(remote, ':');
    int brackets = remote[0] == '[' ? 1 : 0;
    if (colon)
        fprintf(out, "%.*s", (int)(colon - remote) - 2 * brackets, remote + brackets);
}

static void print_remote_port(FILE *out, const struct writeout *values)
{
    const char *colon = strrchr(values->done->remote, ':');
    fputs(colon ? colon + 1 : "0", out);
}

static void print_scheme(FILE *out, const struct writeout *values)
{
    const char *url = values->response ? values->response->url : values->options->url;
    const char *end = strstr(url, "://");
    fprintf(out, "%.*s", end ? (int)(end - url) : 0, url);
}

/* As it came; a daemon that does not say counts as delivered. */
static uint64_t raw_bytes(const struct writeout *values)
{
    return values->done->raw_body_bytes ? values->done->raw_body_bytes : values->body_bytes;
}

static void print_size_download(FILE *out, const struct writeout *values)
{
    fprintf(out, "%" PRIu64, raw_bytes(values));
}

static void print_size_body(FILE *out, const struct writeout *values)
{
    fprintf(out, "%" PRIu64, values->body_bytes);
}

static void print_complete(FILE *out, const struct writeout *values)
{
    fputs(values->done->complete ? "1" : "0", out);
}

static void print_speed_download(FILE *out, const struct writeout *values)
{
    fprintf(out, "%" PRIu64, speed(values, raw_bytes(values)));
}

static void print_time_posttransfer(FILE *out, const struct writeout *values)
{
    print_us(out, values->done->sent_us);
}

static void print_time_queue(FILE *out, const struct writeout *values)
{
    print_us(out, values->done->queue_us);
}

static void print_time_redirect(FILE *out, const struct writeout *values)
{
    print_us(out, values->done->redirect_us);
}

static void print_time_appconnect(FILE *out, const struct writeout *values)
{
    print_us(out, values->done->tls_us);
}

static void print_time_connect(FILE *out, const struct writeout *values)
{
    print_us(out, values->done->connect_us);
}

static void print_time_namelookup(FILE *out, const struct writeout *values)
{
    print_us(out, values->done->dns_us);
}

static void print_time_starttransfer(FILE *out, const struct writeout *values)
{
    print_us(out, values->done->first_byte_us);
}

static void print_time_total(FILE *out, const struct writeout *values)
{
    print_us(out, values->done->total_us);
}

static void print_url(FILE *out, const struct writeout *values)
{
    fputs(values->options->url, out);
}

static void print_url_effective(FILE *out, const struct writeout *values)
{
    fputs(values->response && values->response->url[0] ? values->response->url : values->options->url, out);
}

static void print_urlnum(FILE *out, const struct writeout *values)
{
    fprintf(out, "%" PRIu64, values->url_number);
}

static void print_worker(FILE *out, const struct writeout *values)
{
    fprintf(out, "%u", values->done->worker);
}

static void print_attempts(FILE *out, const struct writeout *values)
{
    fprintf(out, "%u", values->done->attempts);
}

/* As PEM, the origin's own first. */
static void print_certs(FILE *out, const struct writeout *values)
{
    for (size_t i = 0; values->response && i < values->response->cert_count; i++)
        fputs(values->response->certs[i], out);
}

static void print_num_certs(FILE *out, const struct writeout *values)
{
    fprintf(out, "%zu", values->response ? values->response->cert_count : 0);
}

/* The names are curl's; those of fetchd_ are fetchd's own. */
static const struct { const char *name; print_variable *print; } variables[] = {
    { "certs", print_certs },
    { "content_type", print_content_type },
    { "errormsg", print_errormsg },
    { "exitcode", print_exitcode },
    { "filename_effective", print_filename },
    { "http_code", print_status },
    { "http_version", print_http_version },
    { "method", print_method },
    { "num_certs", print_num_certs },
    { "num_connects", print_num_connects },
    { "num_headers", print_num_headers },
    { "num_redirects", print_num_redirects },
    { "num_retries", print_num_retries },
    { "remote_ip", print_remote_ip },
    { "remote_port", print_remote_port },
    { "response_code", print_status },
    { "scheme", print_scheme },
    { "size_download", print_size_download },
    { "speed_download", print_speed_download },
    { "time_appconnect", print_time_appconnect },
    { "time_connect", print_time_connect },
    { "time_namelookup", print_time_namelookup },
    { "time_posttransfer", print_time_posttransfer },
    { "time_redirect", print_time_redirect },
    { "time_starttransfer", print_time_starttransfer },
    { "time_total", print_time_total },
    { "url", print_url },
    { "url_effective", print_url_effective },
    { "urlnum", print_urlnum },
    { "fetchd_worker", print_worker },
    { "fetchd_attempts", print_attempts },
    { "fetchd_body_bytes", print_size_body },
    { "fetchd_complete", print_complete },
    { "fetchd_time_queue", print_time_queue },
};

const char *writeout_variable(size_t index)
{
    return index < sizeof variables / sizeof variables[0] ? variables[index].name : NULL;
}

static print_variable *find(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        if (strlen(variables[i].name) == length && memcmp(variables[i].name, name, length) == 0)
            return variables[i].print;
    return NULL;
}

static bool is(const char *name, size_t length, const char *what)
{
    return strlen(what) == length && memcmp(name, what, length) == 0;
}

/* %header{name} */
static bool is_header(const char *at)
{
    return strncmp(at, "%header{", 8) == 0;
}

static const char *print_header(FILE *out, const char *at, const struct writeout *values)
{
    char name[128];
    const char *end = strchr(at, '}');
    int length = (int)(end - at) - 8;
    snprintf(name, sizeof name, "%.*s", length, at + 8);
    fputs(header(values, name), out);
    return end + 1;
}

static int refuse_open(const char *at)
{
    say("-w: '%s' has no }", at);
    return EXIT_USAGE;
}

static int check_variable(const char *name)
{
    size_t length = strcspn(name, "}");
    if (!name[length])
        return refuse_open(name - 2);
    if (!find(name, length) && !is(name, length, "stdout") && !is(name, length, "stderr"))
        say("-w: the variable %%{%.*s} is unknown", (int)length, name);
    else
        return 0;
    return EXIT_USAGE;
}

int writeout_check(const char *format)
{
    for (const char *at = strchr(format, '%'); at; at = strchr(at + 1, '%')) {
        if (at[1] == '%')
            at++;
        else if (is_header(at) && !strchr(at, '}'))
            return refuse_open(at);
        else if (at[1] == '{' && check_variable(at + 2) != 0)
            return EXIT_USAGE;
    }
    return 0;
}

/* The variable behind "%{"; where to go on. */
static const char *print_variable_at(const char *name, FILE **out, const struct writeout *values)
{
    size_t length = strcspn(name, "}");
    print_variable *print = find(name, length);
    if (print)
        print(*out, values);
    else
        *out = is(name, length, "stderr") ? stderr : stdout;
    return name + length + 1;
}

static char escape(char letter)
{
    switch (letter) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return '\0';
    }
}

void writeout_print(const char *format, const struct writeout *values)
{
    FILE *out = stdout;
    for (const char *at = format; *at;) {
        if (at[0] == '%' && at[1] == '%') {
            putc('%', out);
            at += 2;
        } else if (at[0] == '%' && at[1] == '{') {
            at = print_variable_at(at + 2, &out, values);
        } else if (is_header(at)) {
            at = print_header(out, at, values);
        } else if (at[0] == '\\' && escape(at[1])) {
            putc(escape(at[1]), out);
            at += 2;
        } else {
            putc(*at++, out);
        }
    }
    fflush(out);
}
