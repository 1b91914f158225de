/* The workers of the daemon's status. */
#include "workers.h"

#include "say.h"
#include "table.h"
#include "value.h"

#include <stdio.h>

#define ANSWER_MS 10000

/* How the fields of a worker look; the order of the columns. */
enum unit { NUMBER, TEXT, BYTES, MILLISECONDS };

static const struct { const char *name, *heading; enum unit unit; } columns[] = {
    { "worker", "worker", NUMBER }, { "state", "state", TEXT }, { "pid", "pid", NUMBER },
    { "age_ms", "age", MILLISECONDS }, { "in_flight", "in flight", NUMBER }, { "served", "served", NUMBER },
    { "failed", "failed", NUMBER }, { "restarts", "restarts", NUMBER }, { "rss_bytes", "memory", BYTES },
    { "open_fds", "fds", NUMBER }, { "connections", "connections", NUMBER },
    { "tls_handshakes", "handshakes", NUMBER }, { "tls_failures", "TLS failures", NUMBER },
    { "close_wait", "close wait", NUMBER },
};

#define COLUMNS (sizeof columns / sizeof columns[0])

static void add_cell(struct table *table, const struct value *worker, size_t column)
{
    char value[TABLE_VALUE_BYTES];
    uint64_t number = value_number(worker, columns[column].name);
    switch (columns[column].unit) {
    case NUMBER: table_add_number(table, number); break;
    case TEXT: table_add(table, value_text(worker, columns[column].name)); break;
    case BYTES: table_add(table, table_bytes(value, number)); break;
    case MILLISECONDS: table_add(table, table_ms(value, number)); break;
    }
}

static void print_table(const struct value *workers)
{
    struct table table;
    struct text out = { 0 };
    table_init(&table, COLUMNS, 1u << 1);
    for (size_t column = 0; column < COLUMNS; column++)
        table_add(&table, columns[column].heading);
    for (const struct value *worker = workers ? workers->first : NULL; worker; worker = worker->next)
        for (size_t column = 0; column < COLUMNS; column++)
            add_cell(&table, worker, column);
    table_print(&table, &out);
    fputs(out.data ? out.data : "", stdout);
    text_finish(&out);
    table_finish(&table);
}

static int print(const char *json, bool as_json)
{
    struct value *status = value_read(json);
    const struct value *workers = value_get(status, "workers");
    if (!status) {
        say("the daemon's status is not understood");
        return EXIT_USAGE;
    }
    const struct value *own = value_get(status, "own");
    if (own && own->number) {
        say("(%d) access.denied: the workers are for admins to see ([access] admin)", EXIT_DENIED);
        value_free(status);
        return EXIT_DENIED;
    }
    if (as_json)
        printf("%.*s\n", workers ? (int)workers->source_length : 2, workers ? workers->source : "[]");
    else
        print_table(workers);
    value_free(status);
    return fflush(stdout) == 0 ? 0 : EXIT_WRITE;
}

int workers_run(struct fetchd_client *client, const struct options *options)
{
    if (options->words.count > 0) {
        say("'%s' is too much: this command takes no arguments", options->words.items[0]);
        return EXIT_USAGE;
    }
    char *json = fetchd_status_json(client, ANSWER_MS);
    if (!json) {
        const struct fetchd_error *error = fetchd_last_error(client);
        say("(%d) %s: %s", error->exit_code, error->name, error->message);
        return error->exit_code;
    }
    int code = print(json, options->as_json);
    fetchd_free(json);
    return code;
}
