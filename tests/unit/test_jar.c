/* jar.c and jar_control.c: a session between a client and its worker. What the worker says about cookies is
 * judged, kept before the client hears of the answer, and never shown; what is sent along is picked anew for
 * each hop; and nothing of one user is another's. */
#include "stage.h"

#include "daemon/jar_control.h"
#include "daemon/principal.h"
#include "daemon/suffix.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static struct wire *client;
static struct stage_worker *worker;
static uint32_t last_id;

#define SLOW "workers.backoff_min=10m", "workers.backoff_max=10m", "retry.delay=1h", "retry.max_delay=1h"

static void begin(void)
{
    stage_begin(1, SLOW, NULL);
    stage_start();
    worker = stage_newest();
    stage_make_ready(worker);
    client = stage_connect();
    last_id = 0;
}

static struct ipc_bytes bytes(const char *string)
{
    return (struct ipc_bytes){ (const uint8_t *)string, strlen(string) };
}

static const char *create(struct wire *wire, const char *name)
{
    static char error[64];
    union ipc_any reply;
    struct ipc_session_create message;
    IPC_INIT(SESSION_CREATE, &message);
    message.name = ipc_text(name);
    wire_say(wire, IPC_SESSION_CREATE, ++last_id, &message);
    wire_expect(wire, IPC_SESSION_REPLY, last_id, &reply);
    const struct ipc_failure *failure = reply.session_reply.error;
    unit_copy(error, sizeof error, failure ? failure->name.data : "", failure ? failure->name.length : 0);
    return error;
}

static struct ipc_fetch fetch_of(const char *url, const char *session)
{
    struct ipc_fetch fetch;
    IPC_INIT(FETCH, &fetch);
    fetch.url = ipc_text(url);
    fetch.session = ipc_text(session);
    return fetch;
}

/* Says it, and takes it at the worker, whose FETCH is in *ret_heard. Its id there. */
static uint32_t place(const struct ipc_fetch *fetch, union ipc_any *ret_heard)
{
    struct ipc_frame frame = { .type = 0 };
    wire_say(client, IPC_FETCH, ++last_id, fetch);
    stage_until(wire_next(&worker->wire, &frame));
    assert_int_equal(frame.type, IPC_FETCH);
    assert_int_equal(ipc_unpack(&stage.decoder, IPC_DAEMON_TO_WORKER, &frame, ret_heard), 0);
    return frame.id;
}

/* "a=1; b=2" */
static const char *line(struct ipc_pairs pairs)
{
    static char text[1000];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < pairs.count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s=%.*s", i ? "; " : "",
                                 (int)pairs.items[i].name.length, (const char *)pairs.items[i].name.data,
                                 (int)pairs.items[i].value.length, (const char *)pairs.items[i].value.data);
    return text;
}

/* The cookies that a request for `url` would send, by the API. */
static const char *kept(struct wire *wire, const char *session, const char *url)
{
    struct ipc_pair pairs[500];
    union ipc_any reply;
    struct ipc_session_read read;
    IPC_INIT(SESSION_READ, &read);
    read.name = ipc_text(session);
    read.url = ipc_text(url);
    wire_say(wire, IPC_SESSION_READ, ++last_id, &read);
    wire_expect(wire, IPC_SESSION_STATE, last_id, &reply);
    for (size_t i = 0; i < reply.session_state.cookies.count; i++)
        pairs[i] = (struct ipc_pair){ reply.session_state.cookies.items[i].name,
                                      reply.session_state.cookies.items[i].value };
    return line((struct ipc_pairs){ pairs, reply.session_state.cookies.count });
}

static void respond(uint32_t id, const struct ipc_cookie *cookie, const struct ipc_hsts *hsts)
{
    struct ipc_response response;
    IPC_INIT(RESPONSE, &response);
    response.status = 200;
    response.set_cookies.items = cookie;
    response.set_cookies.count = cookie != NULL;
    response.hsts = hsts;
    wire_say(&worker->wire, IPC_RESPONSE, id, &response);
}

static void finish(uint32_t id)
{
    struct ipc_done done;
    IPC_INIT(DONE, &done);
    wire_say(&worker->wire, IPC_DONE, id, &done);
}

static struct ipc_cookie cookie_of(const char *name, const char *value)
{
    return (struct ipc_cookie){ .name = bytes(name), .value = bytes(value) };
}

/* One whole request that sets a cookie. */
static void set(const char *url, const struct ipc_cookie *cookie)
{
    union ipc_any heard;
    struct ipc_fetch fetch = fetch_of(url, "s");
    uint32_t id = place(&fetch, &heard);
    respond(id, cookie, NULL);
    wire_expect(client, IPC_RESPONSE, last_id, NULL);
    finish(id);
    wire_expect(client, IPC_DONE, last_id, NULL);
}

static void wait_for_breach(void)
{
    stage_until(stage_seat(1)->state != SUPERVISOR_READY);
}

/* ---- requests ---- */

static void a_worker_hears_of_the_cookies_and_not_of_the_session(void **state)
{
    (void)state;
    union ipc_any heard;
    begin();
    create(client, "s");
    struct ipc_cookie cookie = cookie_of("a", "1");
    set("https://shop.test/", &cookie);
    struct ipc_fetch fetch = fetch_of("https://shop.test/x", "s");
    place(&fetch, &heard);
    assert_true(heard.fetch.in_session);
    assert_text_equal(heard.fetch.session, "");
    assert_string_equal(line(heard.fetch.cookies), "a=1");
    stage_end();
}

static void what_a_client_says_in_private_fields_counts_for_nothing(void **state)
{
    (void)state;
    union ipc_any heard;
    begin();
    struct ipc_pair forged = { bytes("a"), bytes("forged") };
    struct ipc_fetch fetch = fetch_of("https://shop.test/", "");
    fetch.cookies = (struct ipc_pairs){ &forged, 1 };
    fetch.in_session = true;
    client->speaker = IPC_WORKER;   /* so that they are packed */
    place(&fetch, &heard);
    client->speaker = IPC_CLIENT;
    assert_false(heard.fetch.in_session);
    assert_int_equal(heard.fetch.cookies.count, 0);
    stage_end();
}

static void the_client_hears_of_an_answer_when_its_cookies_are_kept_and_not_of_them(void **state)
{
    (void)state;
    union ipc_any heard;
    begin();
    create(client, "s");
    struct ipc_fetch fetch = fetch_of("https://shop.test/", "s");
    uint32_t id = place(&fetch, &heard), request = last_id;
    struct ipc_cookie cookie = cookie_of("a", "1");
    struct ipc_hsts hsts = { .expires_s = (uint64_t)time(NULL) + 100 };
    respond(id, &cookie, &hsts);
    struct ipc_frame frame = wire_expect(client, IPC_RESPONSE, request, NULL);
    assert_null(memmem(frame.body, frame.body_length, "set_cookies", 11));
    assert_null(memmem(frame.body, frame.body_length, "hsts", 4));
    assert_string_equal(kept(client, "s", "https://shop.test/"), "a=1");
    stage_end();
}

static void hops_set_and_get_cookies_of_their_own(void **state)
{
    (void)state;
    union ipc_any heard;
    begin();
    create(client, "s");
    struct ipc_cookie old = cookie_of("old", "0"), cookie = cookie_of("hop", "1");
    set("https://other.test/", &old);
    struct ipc_fetch fetch = fetch_of("https://shop.test/", "s");
    fetch.follow = true;
    uint32_t id = place(&fetch, &heard);
    struct ipc_hop hop;
    IPC_INIT(HOP, &hop);
    hop.status = 302;
    hop.url = IPC_TEXT("https://other.test/");
    hop.set_cookies.items = &cookie;
    hop.set_cookies.count = 1;
    wire_say(&worker->wire, IPC_HOP, id, &hop);
    struct ipc_frame frame = wire_expect(client, IPC_HOP, last_id, NULL);
    assert_null(memmem(frame.body, frame.body_length, "set_cookies", 11));
    wire_expect(&worker->wire, IPC_GO, id, &heard);
    assert_string_equal(line(heard.go.cookies), "old=0");
    assert_text_equal(heard.go.url, "");
    hop.url = IPC_TEXT("https://shop.test/again");
    hop.set_cookies.count = 0;
    wire_say(&worker->wire, IPC_HOP, id, &hop);
    wire_expect(&worker->wire, IPC_GO, id, &heard);
    assert_string_equal(line(heard.go.cookies), "hop=1");
    stage_end();
}

static void a_hop_to_a_host_that_wants_tls_goes_there_by_tls(void **state)
{
    (void)state;
    union ipc_any heard;
    begin();
    create(client, "s");
    struct ipc_fetch fetch = fetch_of("https://shop.test/", "s");
    struct ipc_hsts hsts = { .expires_s = (uint64_t)time(NULL) + 100, .subdomains = true };
    fetch.follow = true;
    uint32_t id = place(&fetch, &heard);
    struct ipc_hop hop;
    IPC_INIT(HOP, &hop);
    hop.status = 302;
    hop.url = IPC_TEXT("http://www.shop.test/x");
    hop.hsts = &hsts;
    wire_say(&worker->wire, IPC_HOP, id, &hop);
    wire_expect(client, IPC_HOP, last_id, &heard);
    assert_text_equal(heard.hop.url, "https://www.shop.test/x");
    wire_expect(&worker->wire, IPC_GO, id, &heard);
    assert_text_equal(heard.go.url, "https://www.shop.test/x");
    respond(id, NULL, NULL);
    finish(id);
    wire_expect(client, IPC_RESPONSE, last_id, NULL);
    wire_expect(client, IPC_DONE, last_id, NULL);
    fetch = fetch_of("http://shop.test:80/y", "s");
    place(&fetch, &heard);
    assert_text_equal(heard.fetch.url, "https://shop.test/y");
    stage_end();
}

static void hsts_without_verified_tls_is_dropped(void **state)
{
    (void)state;
    static const struct { const char *url; bool insecure; } table[] = {
        { "http://shop.test/", false }, { "https://shop.test/", true }, { "https://10.0.0.1/", false },
    };
    begin();
    stage.daemon->conf->tls_insecure = true;
    create(client, "s");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        union ipc_any heard;
        struct ipc_fetch fetch = fetch_of(table[i].url, "s");
        struct ipc_hsts hsts = { .expires_s = UINT64_MAX };
        fetch.insecure = table[i].insecure;
        uint32_t id = place(&fetch, &heard);
        respond(id, NULL, &hsts);
        wire_expect(client, IPC_RESPONSE, last_id, NULL);
    }
    assert_null(stage.daemon->principals.first->jars.by_name->hsts.by_name);
    stage_end();
}

static void a_worker_that_sets_what_no_origin_can_is_killed(void **state)
{
    (void)state;
    static const char *const values[] = { "1\r\nX: y", "1; b=2", "1\tx" };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        union ipc_any heard;
        begin();
        create(client, "s");
        struct ipc_fetch fetch = fetch_of("https://shop.test/", "s");
        struct ipc_cookie cookie = cookie_of("a", values[i]);
        respond(place(&fetch, &heard), &cookie, NULL);
        wait_for_breach();
        assert_string_equal(kept(client, "s", "https://shop.test/"), "");
        stage_end();
    }
}

static void a_worker_that_sets_cookies_for_another_host_sets_none(void **state)
{
    (void)state;
    begin();
    create(client, "s");
    struct ipc_cookie cookie = cookie_of("a", "1");
    cookie.domain = IPC_TEXT("bank.test");
    set("https://shop.test/", &cookie);
    cookie.host_only = true;
    set("https://shop.test/", &cookie);
    assert_string_equal(kept(client, "s", ""), "");
    assert_int_equal(stage_seat(1)->state, SUPERVISOR_READY);
    stage_end();
}

static void cookies_for_a_request_in_no_session_are_a_breach(void **state)
{
    (void)state;
    union ipc_any heard;
    begin();
    struct ipc_fetch fetch = fetch_of("https://shop.test/", "");
    struct ipc_cookie cookie = cookie_of("a", "1");
    respond(place(&fetch, &heard), &cookie, NULL);
    wait_for_breach();
    stage_end();
}

static void a_request_that_outlives_its_session_sends_and_sets_nothing(void **state)
{
    (void)state;
    union ipc_any heard;
    begin();
    create(client, "s");
    struct ipc_cookie cookie = cookie_of("a", "1");
    set("https://shop.test/", &cookie);
    struct ipc_fetch fetch = fetch_of("https://shop.test/", "s");
    fetch.follow = true;
    uint32_t id = place(&fetch, &heard), request = last_id;
    struct ipc_session_destroy destroy = { .name = IPC_TEXT("s") };
    wire_say(client, IPC_SESSION_DESTROY, ++last_id, &destroy);
    wire_expect(client, IPC_SESSION_REPLY, last_id, NULL);
    struct ipc_hop hop;
    IPC_INIT(HOP, &hop);
    hop.status = 302;
    hop.url = IPC_TEXT("https://shop.test/");
    hop.set_cookies.items = &cookie;
    hop.set_cookies.count = 1;
    wire_say(&worker->wire, IPC_HOP, id, &hop);
    wire_expect(client, IPC_HOP, request, NULL);
    wire_expect(&worker->wire, IPC_GO, id, &heard);
    assert_int_equal(heard.go.cookies.count, 0);
    create(client, "s");
    respond(id, &cookie, NULL);
    finish(id);
    wire_expect(client, IPC_RESPONSE, request, NULL);
    wire_expect(client, IPC_DONE, request, NULL);
    assert_string_equal(kept(client, "s", ""), "");
    stage_end();
}

static void a_request_placed_again_brings_the_cookies_of_then(void **state)
{
    (void)state;
    union ipc_any heard;
    begin();
    create(client, "s");
    struct ipc_fetch fetch = fetch_of("https://shop.test/", "s");
    place(&fetch, &heard);
    assert_int_equal(heard.fetch.cookies.count, 0);
    struct ipc_cookie cookie = cookie_of("a", "1");
    cookie.domain = IPC_TEXT("shop.test");
    struct ipc_session_write write = { .name = IPC_TEXT("s"), .cookies = { &cookie, 1 } };
    wire_say(client, IPC_SESSION_WRITE, ++last_id, &write);
    wire_expect(client, IPC_SESSION_REPLY, last_id, NULL);
    kill(worker->pid, SIGKILL);
    wire_close(&worker->wire);
    stage_until(stage_seat(1)->state == SUPERVISOR_WAITING);
    supervisor_event(stage_seat(1), SUPERVISOR_SPAWN, NULL);
    worker = stage_newest();
    stage_make_ready(worker);
    struct ipc_frame frame = { .type = 0 };
    stage_until(wire_next(&worker->wire, &frame));
    assert_int_equal(ipc_unpack(&stage.decoder, IPC_DAEMON_TO_WORKER, &frame, &heard), 0);
    assert_string_equal(line(heard.fetch.cookies), "a=1");
    stage_end();
}

/* ---- users, limits, time ---- */

/* The newest connection becomes another user's. */
static void become(uint64_t user)
{
    struct session *session = stage_session();
    session->principal = principals_find(&stage.daemon->principals, user);
}

static void sessions_of_two_users_share_their_name_only(void **state)
{
    (void)state;
    union ipc_any heard;
    begin();
    create(client, "s");
    struct ipc_cookie cookie = cookie_of("a", "1");
    set("https://shop.test/", &cookie);
    struct wire *mine = client;
    client = stage_connect();
    become(12345);
    last_id = 0;
    struct ipc_fetch fetch = fetch_of("https://shop.test/", "s");
    wire_say(client, IPC_FETCH, ++last_id, &fetch);
    wire_expect(client, IPC_DONE, last_id, &heard);
    assert_text_equal(heard.done.error->name, "session.unknown");
    assert_string_equal(create(client, "s"), "");
    place(&fetch, &heard);
    assert_int_equal(heard.fetch.cookies.count, 0);
    assert_string_equal(kept(client, "s", ""), "");
    client = mine;
    last_id = 1000;
    assert_string_equal(kept(client, "s", ""), "a=1");
    place(&fetch, &heard);
    assert_string_equal(line(heard.fetch.cookies), "a=1");
    stage_end();
}

static void names_are_checked_and_sessions_counted(void **state)
{
    (void)state;
    stage_begin(1, SLOW, "sessions.count=2", NULL);
    stage_start();
    client = stage_connect();
    last_id = 0;
    static const char *const wrong[] = { ".a", "a/b", "a b", "a\xc3\xa4", "../a" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_string_equal(create(client, wrong[i]), "request.invalid");
    assert_string_equal(create(client, "A-b_c.1"), "");
    assert_string_equal(create(client, "A-b_c.1"), "session.exists");
    assert_string_equal(create(client, ""), "");
    assert_string_equal(create(client, "third"), "quota.exceeded");
    stage_end();
}

static void what_nobody_uses_for_long_is_forgotten(void **state)
{
    (void)state;
    union ipc_any heard;
    stage_begin(1, SLOW, "sessions.idle=100s", NULL);
    stage_start();
    worker = stage_newest();
    stage_make_ready(worker);
    client = stage_connect();
    last_id = 0;
    create(client, "idle");
    create(client, "busy");
    struct jars *jars = &stage.daemon->principals.first->jars;
    struct ipc_fetch fetch = fetch_of("https://shop.test/", "busy");
    uint32_t id = place(&fetch, &heard);
    jars_find(jars, IPC_TEXT("idle"))->used_s -= 100;
    jars_find(jars, IPC_TEXT("busy"))->used_s -= 1000;
    jar_control_sweep(stage.daemon);
    assert_int_equal(jars_count(jars), 2);
    jars_find(jars, IPC_TEXT("idle"))->used_s -= 2;
    jar_control_sweep(stage.daemon);
    assert_int_equal(jars_count(jars), 1);
    respond(id, NULL, NULL);
    finish(id);
    wire_expect(client, IPC_RESPONSE, last_id, NULL);
    wire_expect(client, IPC_DONE, last_id, NULL);
    jar_control_sweep(stage.daemon);
    assert_int_equal(jars_count(jars), 1);
    jars->by_name->used_s -= 1000;
    jar_control_sweep(stage.daemon);
    assert_int_equal(jars_count(jars), 0);
    stage_end();
}

static void nothing_is_persistent_without_a_folder(void **state)
{
    (void)state;
    union ipc_any reply;
    begin();
    struct ipc_session_create create_one = { .name = IPC_TEXT("s"), .persistent = true };
    wire_say(client, IPC_SESSION_CREATE, ++last_id, &create_one);
    wire_expect(client, IPC_SESSION_REPLY, last_id, &reply);
    assert_text_equal(reply.session_reply.error->name, "request.unsupported");
    stage_end();
}

UV_TESTS(TEST(a_worker_hears_of_the_cookies_and_not_of_the_session),
         TEST(what_a_client_says_in_private_fields_counts_for_nothing),
         TEST(the_client_hears_of_an_answer_when_its_cookies_are_kept_and_not_of_them),
         TEST(hops_set_and_get_cookies_of_their_own), TEST(a_hop_to_a_host_that_wants_tls_goes_there_by_tls),
         TEST(hsts_without_verified_tls_is_dropped), TEST(a_worker_that_sets_what_no_origin_can_is_killed),
         TEST(a_worker_that_sets_cookies_for_another_host_sets_none),
         TEST(cookies_for_a_request_in_no_session_are_a_breach),
         TEST(a_request_that_outlives_its_session_sends_and_sets_nothing),
         TEST(a_request_placed_again_brings_the_cookies_of_then),
         TEST(sessions_of_two_users_share_their_name_only), TEST(names_are_checked_and_sessions_counted),
         TEST(what_nobody_uses_for_long_is_forgotten), TEST(nothing_is_persistent_without_a_folder))
