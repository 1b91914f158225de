/* fetchctl: asks fetchd from a shell. It includes libfetchd's public header only. */
#include "batch.h"
#include "bench.h"
#include "completion.h"
#include "cookies.h"
#include "get.h"
#include "manual.h"
#include "say.h"
#include "session.h"
#include "start.h"
#include "status.h"
#include "top.h"
#include "workers.h"
#include "ws.h"

#include <stdio.h>
#include <string.h>

static int run_bench(struct fetchd_client *client, const struct options *options)
{
    (void)client;   /* it has its own, --connections of them */
    return bench_run(options);
}

static int run_completion(struct fetchd_client *client, const struct options *options);

static const struct command commands[] = {
    { "get", COMMAND_GET, "URL...", "fetch", get_run },
    { "head", COMMAND_HEAD, "URL...", "fetch the headers", get_run },
    { "post", COMMAND_POST, "URL...", "send with POST", get_run },
    { "put", COMMAND_PUT, "URL...", "send with PUT", get_run },
    { "delete", COMMAND_DELETE, "URL...", "ask with DELETE", get_run },
    { "request", COMMAND_REQUEST, "-X METHOD URL...", "ask with any method", get_run },
    { "ws", COMMAND_WS, "URL", "talk over a WebSocket, a message a line", ws_run },
    { "batch", COMMAND_BATCH, "FILE|-", "ask a list of URLs or JSON requests", batch_run },
    { "bench", COMMAND_BENCH, "URL", "fetch one URL many times and measure", run_bench },
    { "session", COMMAND_SESSION, "create|list|destroy|cookies|import|export ...", "cookies kept under a name",
      session_run },
    { "status", COMMAND_STATUS, "", "what the daemon is doing", status_run },
    { "workers", COMMAND_WORKERS, "", "its workers", workers_run },
    { "top", COMMAND_TOP, "", "the same live, a look each second", top_run },
    { "metrics", COMMAND_METRICS, "", "its metrics, in the Prometheus format", status_run_metrics },
    { "reload", COMMAND_RELOAD, "", "make it read its settings again", status_run_reload },
    { "drain", COMMAND_DRAIN, "", "make it finish what is open and stop", status_run_drain },
    { "completion", COMMAND_COMPLETION, "bash|zsh", "completions for a shell", run_completion },
    { NULL, 0, NULL, NULL, NULL },
};

static int run_completion(struct fetchd_client *client, const struct options *options)
{
    (void)client;
    return completion_print(commands, options->words.count == 1 ? options->words.items[0] : "");
}

static int print_help(FILE *out)
{
    fputs("fetchctl asks fetchd, the fetch daemon of this host.\n\n", out);
    for (const struct command *command = commands; command->name; command++)
        fprintf(out, "  fetchctl %-10s %-17s %s\n", command->name, command->words, command->help);
    fputs("  fetchctl help       [COMMAND]         this, or the options of a command\n"
          "  fetchctl version                      versions\n\n"
          "Options have curl's names and meanings, exit codes as well; 110 no daemon, 111 overloaded or\n"
          "over quota, 112 denied, 113 worker lost. The daemon is looked for at $FETCHD_ADDRESS, else at\n", out);
    fprintf(out, "%s.\n\n", start_addresses);
    options_print(out, ~0u);
    return 0;
}

static const struct command *find(const char *name)
{
    for (const struct command *command = commands; command->name; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

static int unknown(const char *name)
{
    say("'%s' is not a command; try 'fetchctl help'", name);
    return EXIT_USAGE;
}

static int help_with(const struct command *command)
{
    printf("fetchctl %s %s: %s\n\n", command->name, command->words, command->help);
    options_print(stdout, command->command);
    return 0;
}

static int help(int argc, char **argv)
{
    if (argc < 3)
        return print_help(stdout);
    const struct command *command = find(argv[2]);
    return command ? help_with(command) : unknown(argv[2]);
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int version(void)
{
    printf("fetchctl " FETCHD_VERSION ", libfetchd %s\n", fetchd_version());
    return 0;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct options options;
    int code = options_parse(&options, command->command, argc, argv, 2);
    if (code == 0) {
        struct fetchd_client *client = fetchd_open(NULL);
        fetchd_set_name(client, "fetchctl/" FETCHD_VERSION);
        code = cookies_begin(client, &options);
        if (code == 0)
            code = cookies_end(client, &options, command->run(client, &options));
        fetchd_close(client);
    }
    options_finish(&options);
    return code;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    start_process();
    if (!name[0]) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(name, "help") == 0 || asks_for_help(name))
        return help(argc, argv);
    if (strcmp(name, "version") == 0 || strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        return version();
    if (strcmp(name, "--manual") == 0 && argc == 3)   /* for fetchctl(1), when it is built */
        return manual_print(commands, argv[2]);
    const struct command *command = find(name);
    if (command && argc == 3 && asks_for_help(argv[2]))
        return help_with(command);
    return command ? run(command, argc, argv) : unknown(name);
}
