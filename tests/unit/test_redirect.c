/* redirect.c: what a request becomes when a redirect is followed. */
#include "ipc/redirect.h"

#include "unit.h"

#include <string.h>

#define BYTES(literal) { (const uint8_t *)(literal), sizeof(literal) - 1 }

static const struct ipc_pair sent[] = {
    { BYTES("Accept"), BYTES("*/*") },
    { BYTES("AUTHORIZATION"), BYTES("Bearer x") },
    { BYTES("Content-Type"), BYTES("text/plain") },
    { BYTES("content-length"), BYTES("3") },
    { BYTES("Content-Encoding"), BYTES("gzip") },
    { BYTES("Content-Language"), BYTES("de") },
    { BYTES("Content-Location"), BYTES("/x") },
    { BYTES("Expect"), BYTES("100-continue") },
    { BYTES("Cookie"), BYTES("a=b") },
    { BYTES("Cookie2"), BYTES("a=b") },
    { BYTES("Proxy-Authorization"), BYTES("Basic x") },
    { BYTES("Host"), BYTES("other.example") },
    { BYTES("Content-Disposition"), BYTES("inline") },
    { BYTES("X-Authorization"), BYTES("mine") },
    { BYTES("Authorization-X"), BYTES("mine") },
    { BYTES(""), BYTES("") },
};
#define SENT (sizeof sent / sizeof sent[0])

static struct ipc_pair room[SENT];

static struct ipc_fetch post(const char *url)
{
    struct ipc_fetch fetch;
    IPC_INIT(FETCH, &fetch);
    fetch.url = ipc_text(url);
    fetch.method = IPC_TEXT("POST");
    fetch.headers = (struct ipc_pairs){ sent, SENT };
    fetch.body = (struct ipc_bytes)BYTES("abc");
    fetch.credentials = (struct ipc_bytes)BYTES("user:password");
    fetch.bearer = (struct ipc_bytes)BYTES("token");
    fetch.cert_pem = (struct ipc_bytes)BYTES("certificate");
    fetch.key_pem = (struct ipc_bytes)BYTES("key");
    fetch.pinned_key = IPC_TEXT("sha256//x");
    return fetch;
}

static int apply(struct ipc_fetch *fetch, unsigned status, const char *url)
{
    struct ipc_redirect_headers kept = { room, SENT };
    const char *reason = NULL;
    int result = ipc_redirect_apply(fetch, status, ipc_text(url), &kept, &reason);
    assert_int_equal(result < 0, reason != NULL);
    return result;
}

static bool has_header(const struct ipc_fetch *fetch, const char *name)
{
    for (size_t i = 0; i < fetch->headers.count; i++) {
        const struct ipc_bytes *found = &fetch->headers.items[i].name;
        if (found->length == strlen(name) && memcmp(found->data, name, found->length) == 0)
            return true;
    }
    return false;
}

static void each_status_and_method_becomes_what_rfc_9110_says(void **state)
{
    (void)state;
    static const struct { unsigned status; const char *method, *becomes; bool keeps_body; } rows[] = {
        { 301, "GET", "GET", true }, { 301, "HEAD", "HEAD", true }, { 301, "POST", "GET", false },
        { 301, "PUT", "PUT", true }, { 301, "DELETE", "DELETE", true }, { 301, "OPTIONS", "OPTIONS", true },
        { 302, "GET", "GET", true }, { 302, "HEAD", "HEAD", true }, { 302, "POST", "GET", false },
        { 302, "PUT", "PUT", true }, { 302, "PATCH", "PATCH", true }, { 302, "DELETE", "DELETE", true },
        { 303, "GET", "GET", true }, { 303, "HEAD", "HEAD", true }, { 303, "POST", "GET", false },
        { 303, "PUT", "GET", false }, { 303, "DELETE", "GET", false }, { 303, "PATCH", "GET", false },
        { 303, "OPTIONS", "GET", false }, { 303, "QUERY", "GET", false },
        { 307, "GET", "GET", true }, { 307, "HEAD", "HEAD", true }, { 307, "POST", "POST", true },
        { 307, "PUT", "PUT", true }, { 307, "DELETE", "DELETE", true },
        { 308, "GET", "GET", true }, { 308, "HEAD", "HEAD", true }, { 308, "POST", "POST", true },
        { 308, "PUT", "PUT", true }, { 308, "PATCH", "PATCH", true },
        { 301, "post", "post", true }, { 302, "POSTS", "POSTS", true },   /* methods have a case */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ipc_fetch fetch = post("https://a.example/");
        fetch.method = ipc_text(rows[i].method);
        assert_int_equal(apply(&fetch, rows[i].status, "https://a.example/next"), 0);
        assert_text_equal(fetch.method, rows[i].becomes);
        assert_int_equal(fetch.body.length, rows[i].keeps_body ? 3 : 0);
        assert_int_equal(has_header(&fetch, "Content-Type"), rows[i].keeps_body);
        assert_text_equal(fetch.url, "https://a.example/next");
    }
}

static void an_absent_method_is_get(void **state)
{
    (void)state;
    static const unsigned statuses[] = { 301, 302, 307, 308 };
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct ipc_fetch fetch = post("https://a.example/");
        fetch.method = ipc_text(NULL);
        assert_int_equal(apply(&fetch, statuses[i], "https://a.example/next"), 0);
        assert_int_equal(fetch.method.length, 0);
        assert_int_equal(fetch.body.length, 3);
    }
}

static void a_dropped_body_takes_its_headers_and_its_stream_along(void **state)
{
    (void)state;
    struct ipc_fetch fetch = post("https://a.example/");
    fetch.body_streamed = true;
    fetch.body_length = 100;
    assert_int_equal(apply(&fetch, 303, "https://a.example/next"), 0);
    assert_false(fetch.body_streamed);
    assert_true(fetch.body_length == UINT64_MAX);
    assert_null(fetch.body.data);
    static const char *const gone[] = { "Content-Type", "content-length", "Content-Encoding",
                                        "Content-Language",
                                        "Content-Location", "Expect" };
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
        assert_false(has_header(&fetch, gone[i]));
    assert_true(has_header(&fetch, "Accept"));
    assert_true(has_header(&fetch, "Content-Disposition"));
    assert_true(has_header(&fetch, "AUTHORIZATION"));   /* the same origin */
    assert_int_equal(fetch.headers.count, SENT - 6);
}

static void assert_stripped(const char *from, const char *to, bool stripped)
{
    static const char *const proofs[] = { "AUTHORIZATION", "Cookie", "Cookie2", "Proxy-Authorization",
                                          "Host" };
    struct ipc_fetch fetch = post(from);
    assert_int_equal(apply(&fetch, 307, to), 0);
    for (size_t i = 0; i < sizeof proofs / sizeof proofs[0]; i++)
        if (has_header(&fetch, proofs[i]) == stripped)
            fail_msg("%s -> %s: %s", from, to, proofs[i]);
    assert_int_equal(fetch.credentials.length, stripped ? 0 : 13);
    assert_int_equal(fetch.bearer.length, stripped ? 0 : 5);
    assert_int_equal(fetch.cert_pem.length, stripped ? 0 : 11);
    assert_int_equal(fetch.key_pem.length, stripped ? 0 : 3);
    assert_int_equal(fetch.pinned_key.length, 9);   /* a demand, not a proof */
    assert_true(has_header(&fetch, "Accept"));
    assert_true(has_header(&fetch, "X-Authorization"));
    assert_true(has_header(&fetch, "Authorization-X"));
    assert_true(has_header(&fetch, "Content-Type"));
    assert_int_equal(fetch.body.length, 3);
}

static void another_origin_gets_no_credentials(void **state)
{
    (void)state;
    assert_stripped("https://a.example/", "https://b.example/", true);
    assert_stripped("https://a.example/", "https://sub.a.example/", true);
    assert_stripped("https://sub.a.example/", "https://a.example/", true);
    assert_stripped("https://a.example/", "https://a.example:8443/", true);
    assert_stripped("https://a.example/", "http://a.example/", true);
    assert_stripped("http://a.example/", "https://a.example/", true);
    assert_stripped("https://a.example/", "https://a.example./", true);
    assert_stripped("https://a.example/", "https://a.example@b.example/", true);
    assert_stripped("http://127.0.0.1/", "http://127.0.0.2/", true);
}

static void the_same_origin_keeps_them_however_it_is_written(void **state)
{
    (void)state;
    assert_stripped("https://a.example/", "https://a.example/x", false);
    assert_stripped("https://a.example/", "HTTPS://A.EXAMPLE:443/x", false);
    assert_stripped("https://a.example:/", "https://a.example:0443?x", false);
    assert_stripped("http://u:p@a.example/", "http://a.example/", false);
    assert_stripped("http://[::1]:80/", "http://[::1]/x", false);
}

static void redirects_lead_to_http_and_https_only(void **state)
{
    (void)state;
    static const char *const targets[] = { "ftp://a.example/", "ftps://a.example/", "ws://a.example/",
                                           "wss://a.example/", "file:///etc/passwd", "gopher://a.example/" };
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct ipc_fetch fetch = post("https://a.example/");
        assert_int_equal(apply(&fetch, 302, targets[i]), -1);
    }
}

static void a_websocket_stays_one_and_nothing_else_becomes_one(void **state)
{
    (void)state;
    static const struct { const char *from, *to; int result; } rows[] = {
        { "wss://a.example/", "wss://b.example/", 0 }, { "ws://a.example/", "wss://a.example/", 0 },
        { "wss://a.example/", "https://a.example/", -1 }, { "ws://a.example/", "http://a.example/", -1 },
        { "https://a.example/", "wss://a.example/", -1 }, { "ftp://a.example/", "https://a.example/", 0 },
        { "ftp://a.example/", "ftp://a.example/x", -1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ipc_fetch fetch = post(rows[i].from);
        assert_int_equal(apply(&fetch, 302, rows[i].to), rows[i].result);
    }
}

/* A worker gives absolute URLs; a relative one is its mistake, or its lie. */
static void a_url_that_is_not_absolute_is_refused_and_the_fetch_stays(void **state)
{
    (void)state;
    static const char *const targets[] = { "", "/next", "next", "//b.example/", "?x", "https:///",
                                           "https://a b/" };
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct ipc_fetch fetch = post("https://a.example/");
        assert_int_equal(apply(&fetch, 303, targets[i]), -1);
        assert_text_equal(fetch.url, "https://a.example/");
        assert_text_equal(fetch.method, "POST");
        assert_int_equal(fetch.headers.count, SENT);
        assert_int_equal(fetch.body.length, 3);
    }
}

static void the_order_of_headers_is_kept(void **state)
{
    (void)state;
    struct ipc_fetch fetch = post("https://a.example/");
    assert_int_equal(apply(&fetch, 307, "https://a.example/"), 0);
    assert_int_equal(fetch.headers.count, SENT);
    for (size_t i = 0; i < SENT; i++)
        assert_ptr_equal(fetch.headers.items[i].name.data, sent[i].name.data);
}

UNIT_TESTS(TEST(each_status_and_method_becomes_what_rfc_9110_says), TEST(an_absent_method_is_get),
           TEST(a_dropped_body_takes_its_headers_and_its_stream_along),
           TEST(another_origin_gets_no_credentials),
           TEST(the_same_origin_keeps_them_however_it_is_written),
           TEST(redirects_lead_to_http_and_https_only),
           TEST(a_websocket_stays_one_and_nothing_else_becomes_one),
           TEST(a_url_that_is_not_absolute_is_refused_and_the_fetch_stays),
           TEST(the_order_of_headers_is_kept))
