/* Many clients of one daemon in one process, each on a pipe of its own, all requests open at once.
 *
 *     crowd ADDRESS CLIENTS REQUESTS_EACH VERSION URL      the HTTP version, or "-" for the best there is
 *
 * Says "connected" when each client has its answer from the daemon and all requests are under way; at the end, a line
 * each: "ok COUNT", "error NAME COUNT", "done COUNT twice COUNT", and the smallest and largest body. */
#include <fetchd/client.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KINDS 32
#define CONNECT_MS 60000

struct one { uint64_t bytes; unsigned done, status; };
struct kind { char name[48]; unsigned count; };

struct crowd {
    struct fetchd_client **clients;
    struct one *ones;
    struct kind kinds[KINDS];
    unsigned client_count, each, ok, done, twice;
    uint64_t least, most;
};

static void fail(const char *what, struct fetchd_client *client)
{
    fprintf(stderr, "crowd: %s: %s\n", what, client ? fetchd_last_error(client)->message : "");
    exit(70);
}

static void count(struct crowd *crowd, const char *name)
{
    struct kind *kind = crowd->kinds;
    while (kind < crowd->kinds + KINDS - 1 && kind->name[0] && strcmp(kind->name, name) != 0)
        kind++;
    snprintf(kind->name, sizeof kind->name, "%s", name);
    kind->count++;
}

static void end(struct crowd *crowd, struct one *one, const struct fetchd_error *error)
{
    crowd->twice += one->done++ > 0;
    crowd->done++;
    crowd->least = one->bytes < crowd->least ? one->bytes : crowd->least;
    crowd->most = one->bytes > crowd->most ? one->bytes : crowd->most;
    if (error)
        count(crowd, error->name);
    else if (one->status != 200)
        count(crowd, "status");
    else
        crowd->ok++;
}

static void take(struct crowd *crowd, const struct fetchd_event *event)
{
    struct one *one = event->user;
    if (event->type == FETCHD_EVENT_DATA)
        one->bytes += event->size;
    else if (event->type == FETCHD_EVENT_RESPONSE)
        one->status = event->response->status;
    else if (event->type == FETCHD_EVENT_DONE)
        end(crowd, one, event->error);
}

static void open_all(struct crowd *crowd, const char *address)
{
    for (unsigned i = 0; i < crowd->client_count; i++) {
        struct fetchd_client *client = crowd->clients[i] = fetchd_open(address);
        if (fetchd_connect(client, CONNECT_MS) < 0)
            fail("connect", client);
    }
}

static void start_all(struct crowd *crowd, const struct fetchd_options *options)
{
    for (unsigned i = 0; i < crowd->client_count * crowd->each; i++)
        if (!fetchd_start(crowd->clients[i / crowd->each], options, &crowd->ones[i]))
            fail("start", crowd->clients[i / crowd->each]);
    for (unsigned i = 0; i < crowd->client_count; i++)
        fetchd_process(crowd->clients[i]);
    printf("connected\n");
    fflush(stdout);
}

static bool is_done(const struct crowd *crowd, unsigned client)
{
    for (unsigned i = client * crowd->each; i < (client + 1) * crowd->each; i++)
        if (!crowd->ones[i].done)
            return false;
    return true;
}

/* One client after the other: what comes for those behind fits their windows. The second round hears whether anything
 * comes after the last DONE. */
static void hear_all(struct crowd *crowd)
{
    const struct fetchd_event *event;
    for (unsigned i = 0; i < crowd->client_count; i++)
        while (!is_done(crowd, i)) {
            while ((event = fetchd_next_event(crowd->clients[i])))
                take(crowd, event);
            if (!is_done(crowd, i))
                fetchd_wait(crowd->clients[i], -1);
        }
    for (unsigned i = 0; i < crowd->client_count; i++) {
        fetchd_process(crowd->clients[i]);
        while ((event = fetchd_next_event(crowd->clients[i])))
            take(crowd, event);
    }
}

static void report(const struct crowd *crowd)
{
    printf("ok %u\n", crowd->ok);
    for (const struct kind *kind = crowd->kinds; kind < crowd->kinds + KINDS && kind->name[0]; kind++)
        printf("error %s %u\n", kind->name, kind->count);
    printf("done %u twice %u\n", crowd->done, crowd->twice);
    printf("bytes %" PRIu64 " %" PRIu64 "\n", crowd->least, crowd->most);
}

int main(int argc, char **argv)
{
    struct crowd crowd = { .least = UINT64_MAX };
    if (argc != 6)
        fail("usage: crowd ADDRESS CLIENTS REQUESTS_EACH VERSION URL", NULL);
    struct fetchd_options options = { .size = sizeof options, .url = argv[5], .attempts = 1, .fresh = strcmp(argv[4], "1.1") == 0,
                                      .http_version = strcmp(argv[4], "-") == 0 ? NULL : argv[4] };
    crowd.client_count = (unsigned)strtoul(argv[2], NULL, 10);
    crowd.each = (unsigned)strtoul(argv[3], NULL, 10);
    crowd.clients = calloc(crowd.client_count, sizeof *crowd.clients);
    crowd.ones = calloc((size_t)crowd.client_count * crowd.each, sizeof *crowd.ones);
    if (!crowd.clients || !crowd.ones)
        fail("no memory", NULL);
    open_all(&crowd, argv[1]);
    start_all(&crowd, &options);
    hear_all(&crowd);
    report(&crowd);
    for (unsigned i = 0; i < crowd.client_count; i++)
        fetchd_close(crowd.clients[i]);
    free(crowd.clients);
    free(crowd.ones);
    return 0;
}
