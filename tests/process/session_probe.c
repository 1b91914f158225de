/* A program on libfetchd's sessions, by its public header only: session_probe URL RESOLVE CA, with a daemon
 * at $FETCHD_ADDRESS. URL answers with JSON that holds the cookies it got. Says what it sees, a line each; a
 * claim that does not hold ends it with 1. */
#include <fetchd/client.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS 20000

static struct fetchd_client *client;

static void claim(bool holds, const char *what)
{
    printf("%s\t%s\n", holds ? "yes" : "no", what);
    if (holds)
        return;
    printf("last error: %s: %s\n", fetchd_last_error(client)->name, fetchd_last_error(client)->message);
    exit(1);
}

static bool failed_with(const char *name)
{
    return strcmp(fetchd_last_error(client)->name, name) == 0;
}

static bool created(const char *name, unsigned flags)
{
    char *made = fetchd_session_create(client, name, flags, MS);
    bool as_asked = made && (!name || strcmp(made, name) == 0);
    fetchd_free(made);
    return as_asked;
}

static size_t count(const char *name, const char *url)
{
    struct fetchd_cookies *cookies = fetchd_session_cookies(client, name, url, MS);
    size_t found = cookies ? cookies->count : 0;
    fetchd_free(cookies);
    return found;
}

static bool is_listed(const char *name)
{
    struct fetchd_sessions *sessions = fetchd_session_list(client, MS);
    bool found = false;
    for (size_t i = 0; sessions && i < sessions->count; i++)
        found = found || strcmp(sessions->items[i].name, name) == 0;
    fetchd_free(sessions);
    return found;
}

static bool sends(const char *url, const char *resolve, const char *ca, size_t ca_size, const char *session,
                  const char *cookie)
{
    struct fetchd_options options = {.size = sizeof options,
                                     .url = url,
                                     .session = session,
                                     .resolve = &resolve,
                                     .resolve_count = 1,
                                     .ca_pem = ca,
                                     .ca_pem_size = ca_size };
    struct fetchd_reply *reply = fetchd_fetch(client, &options, MS);
    bool sent = reply && strstr(reply->body, cookie);
    fetchd_reply_free(reply);
    return sent;
}

static void check_names(void)
{
    claim(!created("a/b", 0) && failed_with("request.invalid"),
          "a name that is none is refused by the daemon");
    claim(!created("", 0) && failed_with("request.invalid"), "an empty one by the library");
    claim(fetchd_session_destroy(client, "nobody", MS) == FETCHD_FAILED && failed_with("session.unknown"),
          "an unknown session is an error");
    claim(!fetchd_session_cookies(client, "nobody", NULL, MS) && failed_with("session.unknown"),
          "... for a reader");
    claim(fetchd_session_set(client, "nobody", NULL, 0, false, MS) == FETCHD_FAILED
              && failed_with("session.unknown"),
          "... for a writer, also of nothing");
    claim(!fetchd_session_create(NULL, "x", 0, MS) && fetchd_session_set(NULL, "x", NULL, 0, false, MS) < 0
              && !fetchd_session_list(NULL, MS) && !fetchd_session_export(NULL, "x", MS),
          "no client is no crash");
}

static void check_cookies(const char *url)
{
    struct fetchd_cookie cookies[] = {
        {.name = "a",
         .value = "1",
         .domain = "www.shop.test",
         .path = "/",
         .host_only = true,
         .secure = true},
        {.name = "b", .value = "2", .domain = "shop.test"},
        {.name = "c", .value = "3", .domain = "test"},
        {.name = "d", .value = "4", .domain = "shop.test", .expires = -1},
        {.name = NULL, .value = "nameless", .domain = "other.test"},
    };
    claim(fetchd_session_set(client, "s", cookies, 5, false, MS) == 3, "what breaks a rule is left out");
    claim(count("s", NULL) == 3 && count("s", url) == 2, "all cookies are read, or those for a URL");
    struct fetchd_cookies *found = fetchd_session_cookies(client, "s", NULL, MS);
    claim(found && strcmp(found->items[0].name, "a") == 0 && found->items[0].secure
              && found->items[0].host_only && strcmp(found->items[1].path, "/") == 0
              && !found->items[1].host_only && strcmp(found->items[2].name, "") == 0,
          "they come back as they are");
    fetchd_free(found);
    char *file = fetchd_session_export(client, "s", MS);
    claim(file && strstr(file, "\tshop.test") == NULL
              && strstr(file, ".shop.test\tTRUE\t/\tFALSE\t0\tb\t2\n"),
          "exported");
    claim(created("copy", 0) && fetchd_session_import(client, "copy", file, strlen(file), false, MS) == 3,
          "imported");
    claim(fetchd_session_import(client, "copy", file, strlen(file), true, MS) == 0,
          "without those of a session: none");
    fetchd_free(file);
    claim(fetchd_session_set(client, "copy", NULL, 0, true, MS) == 0 && count("copy", NULL) == 0, "cleared");
    claim(fetchd_session_destroy(client, "copy", MS) == 0 && !is_listed("copy") && is_listed("s"),
          "destroyed");
}

static char *read_whole(const char *path, size_t *ret_size)
{
    char *text = calloc(1, 65536);
    FILE *file = fopen(path, "r");
    *ret_size = file && text ? fread(text, 1, 65535, file) : 0;
    if (file)
        fclose(file);
    return text;
}

int main(int argc, char **argv)
{
    size_t ca_size;
    char *ca = argc == 4 ? read_whole(argv[3], &ca_size) : NULL;
    if (!ca)
        return 2;
    client = fetchd_open(NULL);
    claim(created("s", 0), "created");
    claim(!created("s", 0) && failed_with("session.exists"), "not twice");
    claim(created("s", FETCHD_SESSION_MAY_EXIST), "unless it may exist");
    claim(created(NULL, FETCHD_SESSION_BOUND), "a bound one, whose name is made");
    check_names();
    check_cookies(argv[1]);
    claim(sends(argv[1], argv[2], ca, ca_size, "s", "\"a=1; b=2\""), "a request sends them");
    claim(sends(argv[1], argv[2], ca, ca_size, NULL, "\"\""), "one in no session sends none");
    claim(!sends(argv[1], argv[2], ca, ca_size, "nobody", "") && failed_with("session.unknown"),
          "one in an unknown fails");
    fetchd_close(client);
    client = fetchd_open(NULL);
    struct fetchd_sessions *left = fetchd_session_list(client, MS);
    claim(left && left->count == 1 && strcmp(left->items[0].name, "s") == 0 && left->items[0].cookies == 3,
          "the bound one ended with its connection, the other did not");
    fetchd_free(left);
    fetchd_close(client);
    free(ca);
    return 0;
}
