/* The daemon itself. */
#include "status.h"

#include "say.h"

#include <stdio.h>

#define ANSWER_MS 10000

static int check_no_words(const struct options *options)
{
    if (options->words.count == 0)
        return 0;
    say("'%s' is too much: this command takes no arguments", options->words.items[0]);
    return EXIT_USAGE;
}

static int say_failure(const struct fetchd_client *client)
{
    const struct fetchd_error *error = fetchd_last_error(client);
    say("(%d) %s: %s", error->exit_code, error->name, error->message);
    return error->exit_code;
}

static int print(const struct fetchd_client *client, char *text, const char *end)
{
    if (!text)
        return say_failure(client);
    fputs(text, stdout);
    fputs(end, stdout);
    fetchd_free(text);
    return fflush(stdout) == 0 ? 0 : EXIT_WRITE;
}

int status_run(struct fetchd_client *client, const struct options *options)
{
    int code = check_no_words(options);
    if (code != 0)
        return code;
    if (options->as_json)
        return print(client, fetchd_status_json(client, ANSWER_MS), "\n");
    return print(client, fetchd_status_text(client, ANSWER_MS), "");
}

int status_run_metrics(struct fetchd_client *client, const struct options *options)
{
    int code = check_no_words(options);
    return code != 0 ? code : print(client, fetchd_metrics(client, ANSWER_MS), "");
}

int status_run_reload(struct fetchd_client *client, const struct options *options)
{
    int code = check_no_words(options);
    if (code != 0)
        return code;
    return fetchd_reload(client, ANSWER_MS) < 0 ? say_failure(client) : 0;
}

int status_run_drain(struct fetchd_client *client, const struct options *options)
{
    int code = check_no_words(options);
    if (code != 0)
        return code;
    return fetchd_drain(client, ANSWER_MS) < 0 ? say_failure(client) : 0;
}
