/* Sessions from a shell: one table of what can be done with them. */
#include "session.h"

#include "client/json.h"
#include "cookies.h"
#include "file.h"
#include "say.h"
#include "table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ANSWER_MS 10000

struct verb {
    const char *name, *words;
    size_t least, most;           /* words behind it */
    int (*run)(struct fetchd_client *client, const struct options *options, char *const *words, size_t count);
};

static int say_failure(const struct fetchd_client *client)
{
    const struct fetchd_error *error = fetchd_last_error(client);
    say("(%d) %s: %s", error->exit_code, error->name, error->message);
    return error->exit_code;
}

static int print(struct text *out)
{
    int code =
        out->failed || fputs(out->data ? out->data : "", stdout) < 0 || fflush(stdout) != 0 ? EXIT_WRITE : 0;
    text_finish(out);
    return code;
}

/* ---- create, destroy, list ---- */

static int create(struct fetchd_client *client, const struct options *options, char *const *words,
                  size_t count)
{
    unsigned flags = options->persistent ? FETCHD_SESSION_PERSISTENT : 0;
    char *name = fetchd_session_create(client, count > 0 ? words[0] : NULL, flags, ANSWER_MS);
    if (!name)
        return say_failure(client);
    puts(name);
    fetchd_free(name);
    return fflush(stdout) == 0 ? 0 : EXIT_WRITE;
}

static int destroy(struct fetchd_client *client, const struct options *options, char *const *words,
                   size_t count)
{
    int code = 0;
    (void)options;
    for (size_t i = 0; i < count; i++)
        if (fetchd_session_destroy(client, words[i], ANSWER_MS) < 0)
            code = say_failure(client);
    return code;
}

static void list_json(const struct fetchd_sessions *sessions, struct text *out)
{
    json_begin_array(out);
    for (size_t i = 0; i < sessions->count; i++) {
        const struct fetchd_session *session = &sessions->items[i];
        json_begin_object(out);
        json_name(out, "name");
        json_text(out, session->name);
        json_name(out, "persistent");
        json_bool(out, session->persistent);
        json_name(out, "cookies");
        json_uint(out, session->cookies);
        json_name(out, "hsts_hosts");
        json_uint(out, session->hsts_hosts);
        json_name(out, "requests");
        json_uint(out, session->requests);
        json_name(out, "idle_ms");
        json_uint(out, session->idle_ms);
        json_end_object(out);
    }
    json_end_array(out);
    text_add_char(out, '\n');
}

static void list_table(const struct fetchd_sessions *sessions, struct text *out)
{
    static const char *const headings[] = { "name", "kept", "cookies", "HSTS", "requests", "idle" };
    struct table table;
    char idle[TABLE_VALUE_BYTES];
    table_init(&table, 6, 1u << 0 | 1u << 1);
    for (size_t i = 0; i < 6; i++)
        table_add(&table, headings[i]);
    for (size_t i = 0; i < sessions->count; i++) {
        const struct fetchd_session *session = &sessions->items[i];
        table_add(&table, session->name);
        table_add(&table, session->persistent ? "file" : "memory");
        table_add_number(&table, session->cookies);
        table_add_number(&table, session->hsts_hosts);
        table_add_number(&table, session->requests);
        table_add(&table, table_ms(idle, session->idle_ms));
    }
    table_print(&table, out);
    table_finish(&table);
}

static int list(struct fetchd_client *client, const struct options *options, char *const *words, size_t count)
{
    struct text out = { 0 };
    (void)words;
    (void)count;
    struct fetchd_sessions *sessions = fetchd_session_list(client, ANSWER_MS);
    if (!sessions)
        return say_failure(client);
    if (options->as_json)
        list_json(sessions, &out);
    else
        list_table(sessions, &out);
    fetchd_free(sessions);
    return print(&out);
}

/* ---- cookies ---- */

static void cookies_json(const struct fetchd_cookies *cookies, struct text *out)
{
    json_begin_array(out);
    for (size_t i = 0; i < cookies->count; i++) {
        const struct fetchd_cookie *cookie = &cookies->items[i];
        json_begin_object(out);
        json_name(out, "name");
        json_text(out, cookie->name);
        json_name(out, "value");
        json_text(out, cookie->value);
        json_name(out, "domain");
        json_text(out, cookie->domain);
        json_name(out, "path");
        json_text(out, cookie->path);
        json_name(out, "expires");
        json_uint(out, (uint64_t)cookie->expires);
        json_name(out, "host_only");
        json_bool(out, cookie->host_only);
        json_name(out, "secure");
        json_bool(out, cookie->secure);
        json_name(out, "http_only");
        json_bool(out, cookie->http_only);
        json_end_object(out);
    }
    json_end_array(out);
    text_add_char(out, '\n');
}

static void add_life(struct table *table, int64_t expires)
{
    char text[TABLE_VALUE_BYTES];
    struct tm when;
    time_t time_s = (time_t)expires;
    if (expires == 0 || !gmtime_r(&time_s, &when)
        || !strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &when))
        table_add(table, expires == 0 ? "session" : "late");
    else
        table_add(table, text);
}

static void cookies_table(const struct fetchd_cookies *cookies, struct text *out)
{
    static const char *const headings[] = { "domain", "path", "name", "value", "expires", "" };
    struct table table;
    table_init(&table, 6, ~0u);
    for (size_t i = 0; i < 6; i++)
        table_add(&table, headings[i]);
    for (size_t i = 0; i < cookies->count; i++) {
        const struct fetchd_cookie *cookie = &cookies->items[i];
        table_addf(&table, "%s%s", cookie->host_only ? "" : ".", cookie->domain);
        table_add(&table, cookie->path);
        table_add(&table, cookie->name);
        table_add(&table, cookie->value);
        add_life(&table, cookie->expires);
        table_addf(&table, "%s%s%s", cookie->secure ? "Secure" : "",
                   cookie->secure && cookie->http_only ? " " : "", cookie->http_only ? "HttpOnly" : "");
    }
    table_print(&table, out);
    table_finish(&table);
}

static int cookies(struct fetchd_client *client, const struct options *options, char *const *words,
                   size_t count)
{
    struct text out = { 0 };
    struct fetchd_cookies *found =
        fetchd_session_cookies(client, words[0], count > 1 ? words[1] : NULL, ANSWER_MS);
    if (!found)
        return say_failure(client);
    if (options->as_json)
        cookies_json(found, &out);
    else
        cookies_table(found, &out);
    fetchd_free(found);
    return print(&out);
}

/* ---- files ---- */

static int import(struct fetchd_client *client, const struct options *options, char *const *words,
                  size_t count)
{
    struct text text = { 0 };
    const char *path = count > 1 ? words[1] : "-";
    if (file_read(path, &text) < 0) {
        say("can't read %s: %s", path, strerror(errno));
        return EXIT_READ;
    }
    int64_t taken =
        fetchd_session_import(client, words[0], text.data, text.length, options->junk_session, ANSWER_MS);
    text_finish(&text);
    if (taken < 0)
        return say_failure(client);
    printf("%" PRId64 "\n", taken);
    return fflush(stdout) == 0 ? 0 : EXIT_WRITE;
}

static int export(struct fetchd_client *client, const struct options *options, char *const *words,
                  size_t count)
{
    (void)options;
    char *text = fetchd_session_export(client, words[0], ANSWER_MS);
    if (!text)
        return say_failure(client);
    int result = cookies_write(count > 1 ? words[1] : "-", text);
    fetchd_free(text);
    return result < 0 ? EXIT_WRITE : 0;
}

/* ---- the table ---- */

static const struct verb verbs[] = {
    { "create", "[NAME]", 0, 1, create },
    { "list", "", 0, 0, list },
    { "destroy", "NAME...", 1, SIZE_MAX, destroy },
    { "cookies", "NAME [URL]", 1, 2, cookies },
    { "import", "NAME [FILE]", 1, 2, import },
    { "export", "NAME [FILE]", 1, 2, export },
};

static int explain(void)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        say("fetchctl session %s %s", verbs[i].name, verbs[i].words);
    return EXIT_USAGE;
}

int session_run(struct fetchd_client *client, const struct options *options)
{
    const struct strings *words = &options->words;
    for (size_t i = 0; words->count > 0 && i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].name, words->items[0]) != 0)
            continue;
        if (words->count - 1 < verbs[i].least || words->count - 1 > verbs[i].most)
            return explain();
        return verbs[i].run(client, options, words->items + 1, words->count - 1);
    }
    return explain();
}
