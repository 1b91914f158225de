#include "command.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2 };

static const struct verb {
    const char *name;
    int (*run)(const struct command *command);
    bool installs; /* takes the options */
    const char *help;
} verbs[] = {
    { "install", command_install, true,
      "make the service, its folder and its event source; once more mends them" },
    { "uninstall", command_uninstall, false, "stop and remove the service; settings, log and state stay" },
    { "start", command_start, false, "start it and wait until it is ready" },
    { "stop", command_stop, false, "answer what is open, then stop; waits" },
    { "reload", command_reload, false, "read the settings again; what is wrong stands in its log" },
    { "status", command_status, false, "exit code 0: it runs, 3: it does not, 4: there is none" },
};

static const struct option options[] = {
    { "config", required_argument, NULL, 'c' },
    { "account", required_argument, NULL, 'a' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static int usage(FILE *out, int code)
{
    fputs("usage: fetchd service install [--config FILE] [--account NAME]\n"
          "       fetchd service uninstall|start|stop|reload|status\n",
          out);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        fprintf(out, "  %-18s  %s\n", verbs[i].name, verbs[i].help);
    fputs("  --config FILE       settings of the service; else %ProgramData%\\fetchd\\fetchd.ini\n"
          "  --account NAME      who it runs as, one without a password (LocalService); else NT "
          "SERVICE\\fetchd\n",
          out);
    return code;
}

int command_run(int argc, char **argv)
{
    struct command command = { argc > 0 ? argv[0] : "", NULL, NULL };
    const struct verb *verb = NULL;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(command.verb, verbs[i].name) == 0)
            verb = &verbs[i];
    for (int option; argc > 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'c': command.config = optarg; break;
        case 'a': command.account = optarg; break;
        case 'h': return usage(stdout, EXIT_SUCCESS);
        default: return usage(stderr, EXIT_USAGE);
        }
    }
    if (verb && optind >= argc && (verb->installs || (!command.config && !command.account)))
        return verb->run(&command);
    if (strcmp(command.verb, "--help") == 0)
        return usage(stdout, EXIT_SUCCESS);
    return usage(stderr, EXIT_USAGE);
}
