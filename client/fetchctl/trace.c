/* What happens to a request, for people. */
#include "trace.h"

#include "say.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

/* Headers whose values let someone in. */
static const char *const secret_headers[] = {
    "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-auth-token",
};

static bool is_secret(const char *name)
{
    for (size_t i = 0; i < sizeof secret_headers / sizeof secret_headers[0]; i++)
        if (strcasecmp(name, secret_headers[i]) == 0)
            return true;
    return false;
}

static void trace_header(char mark, const struct fetchd_header *header)
{
    fprintf(stderr, "%c ", mark);
    say_foreign(stderr, header->name);
    fputs(": ", stderr);
    say_foreign(stderr, !header->value ? "[left out]" : is_secret(header->name) ? "[not shown]" : header->value);
    putc('\n', stderr);
}

void trace_url(FILE *out, const char *url)
{
    const char *start = strstr(url, "://");
    size_t length = start ? strcspn(start + 3, "/?#") : 0;
    const char *at = start ? memrchr(start + 3, '@', length) : NULL;
    if (at) {
        fprintf(out, "%.*s", (int)(start + 3 - url), url);
        url = at + 1;
    }
    say_foreign(out, url);
}

void trace_daemon(const struct fetchd_daemon *daemon)
{
    fputs("* ", stderr);
    say_foreign(stderr, daemon->server);
    fprintf(stderr, " at %s, protocol %u\n", daemon->address, daemon->protocol);
}

void trace_request(const struct fetchd_options *options)
{
    fprintf(stderr, "> %s ", options->method ? options->method : "GET");
    trace_url(stderr, options->url);
    putc('\n', stderr);
    for (size_t i = 0; i < options->header_count; i++)
        trace_header('>', &options->headers[i]);
    if (options->credentials)
        fputs("> Authorization: [not shown]\n", stderr);
    if (options->proxy) {
        fputs("* through the proxy ", stderr);
        const char *at = strrchr(options->proxy, '@');
        say_foreign(stderr, at ? at + 1 : options->proxy);
        putc('\n', stderr);
    }
    if (options->body_size > 0)
        fprintf(stderr, "* sending a body of %zu bytes\n", options->body_size);
    else if (options->body_streamed)
        fputs("* streaming the body\n", stderr);
}

void trace_response(const struct fetchd_response *response, bool is_hop)
{
    if (response->http_version[0])
        fprintf(stderr, "< HTTP/%s %u\n", response->http_version, response->status);
    else
        fprintf(stderr, "< %u\n", response->status);
    for (size_t i = 0; i < response->header_count; i++)
        trace_header('<', &response->headers[i]);
    if (!is_hop)
        return;
    fputs("* redirected to ", stderr);
    trace_url(stderr, response->url);
    putc('\n', stderr);
}

static void trace_ms(const char *stage, uint64_t us)
{
    if (us > 0)
        fprintf(stderr, ", %s %.1f ms", stage, (double)us / 1000);
}

void trace_done(const struct fetchd_done *done)
{
    for (size_t i = 0; i < done->trailer_count; i++)
        trace_header('<', &done->trailers[i]);
    if (done->error) {
        fprintf(stderr, "* failed: %s%s%s", done->error->name, done->error->phase[0] ? " in phase " : "",
                done->error->phase);
    } else {
        fprintf(stderr, "* done: %" PRIu64 " bytes%s", done->body_bytes,
                done->complete ? "" : ", which end with the connection: nobody can know whether they are all");
    }
    if (done->raw_body_bytes != done->body_bytes)
        fprintf(stderr, ", coded %" PRIu64, done->raw_body_bytes);
    trace_ms("waited", done->queue_us);
    trace_ms("redirected", done->redirect_us);
    trace_ms("resolved", done->dns_us);
    trace_ms("connected", done->connect_us);
    trace_ms("TLS", done->tls_us);
    trace_ms("sent", done->sent_us);
    trace_ms("first byte", done->first_byte_us);
    trace_ms("all", done->total_us);
    if (done->remote[0]) {
        fputs(", ", stderr);
        say_foreign(stderr, done->remote);
    }
    if (done->alpn[0]) {
        fputs(", ", stderr);
        say_foreign(stderr, done->alpn);
    }
    fprintf(stderr, ", %s, worker %u, attempt %u\n", done->reused ? "connection reused" : "new connection",
            done->worker, done->attempts);
}
