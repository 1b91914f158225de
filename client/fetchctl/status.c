/* fetchctl status. */
#include "status.h"

#include "say.h"

#include <stdio.h>

#define ANSWER_MS 10000

int status_run(struct fetchd_client *client, const struct options *options)
{
    if (options->words.count > 0) {
        say("status takes no arguments");
        return EXIT_USAGE;
    }
    char *status = options->as_json ? fetchd_status_json(client, ANSWER_MS) : fetchd_status_text(client, ANSWER_MS);
    if (!status) {
        const struct fetchd_error *error = fetchd_last_error(client);
        say("(%d) %s: %s", error->exit_code, error->name, error->message);
        return error->exit_code;
    }
    fputs(status, stdout);
    if (options->as_json)
        putchar('\n');
    fetchd_free(status);
    return fflush(stdout) == 0 ? 0 : EXIT_WRITE;
}
