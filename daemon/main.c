/* fetchd's command line. The only caller of exit. */
#include "daemon.h"
#include "log.h"
#include "paths.h"
#include "service.h"

#include "conf/conf.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "usage: fetchd [--config FILE] [--listen ADDRESS] [--workers N]\n"
    "              [--no-sandbox] [--check] [--print-config] [--version] [--help]\n"
    "  --config FILE       read settings from FILE; on Windows by itself from %ProgramData%\\fetchd\\fetchd.ini\n"
    "  --listen ADDRESS    unix:PATH, on Windows pipe:\\\\.\\pipe\\NAME; overrides [daemon] listen\n"
    "  --workers N         overrides [workers] count\n"
    "  --no-sandbox        confine neither the daemon nor its workers: for debugging only\n"
    "  --check             read the settings, say what is wrong, and exit\n"
    "  --print-config      print every setting with its help and present value, and exit\n"
    "Runs in the foreground and logs to stderr. SIGTERM (Ctrl+C) drains, SIGHUP (fetchctl reload) reloads.\n";

static const struct option options[] = {
    { "config", required_argument, NULL, 'c' }, { "listen", required_argument, NULL, 'l' },
    { "workers", required_argument, NULL, 'w' }, { "check", no_argument, NULL, 'k' },
    { "print-config", no_argument, NULL, 'p' }, { "version", no_argument, NULL, 'v' },
    { "no-sandbox", no_argument, NULL, 'n' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
};

struct arguments {
    struct daemon_arguments daemon;
    bool check, print;
};

/* To whoever started us: a person, or a service manager that shows no stderr. */
static void complain(const char *sentence)
{
    fprintf(stderr, "fetchd: %s\n", sentence);
    service_log(LOG_LEVEL_ERROR, sentence);
}

static void set_or_exit(struct conf *conf, const char *section, const char *key, const char *value)
{
    char error[CONF_ERROR_BYTES];
    if (!value || conf_set(conf, section, key, value, error) == 0)
        return;
    complain(error);
    exit(EXIT_USAGE);
}

static struct arguments read_arguments(int argc, char **argv)
{
    struct arguments arguments = { { NULL, NULL, NULL, false }, false, false };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'c': arguments.daemon.conf_file = optarg; break;
        case 'l': arguments.daemon.listen = optarg; break;
        case 'w': arguments.daemon.workers = optarg; break;
        case 'n': arguments.daemon.no_sandbox = true; break;
        case 'k': arguments.check = true; break;
        case 'p': arguments.print = true; break;
        case 'v': printf("fetchd %s\n", FETCHD_VERSION); exit(EXIT_SUCCESS);
        case 'h': fputs(usage, stdout); fputs(service_usage, stdout); exit(EXIT_SUCCESS);
        default: fputs(usage, stderr); exit(EXIT_USAGE);
        }
    }
    if (optind < argc) {
        fprintf(stderr, "fetchd: unexpected argument \"%s\"\n%s", argv[optind], usage);
        exit(EXIT_USAGE);
    }
    return arguments;
}

static int run(int argc, char **argv)
{
    struct arguments arguments = read_arguments(argc, argv);
    uv_os_setenv("UV_USE_IO_URING", "0");   /* its calls would pass by every filter */
    struct conf *conf = conf_create();
    static char usual[PATHS_BYTES];
    char error[CONF_ERROR_BYTES];
    if (!conf) {
        fputs("fetchd: not enough memory\n", stderr);
        return EXIT_FAILURE;
    }
    if (!arguments.daemon.conf_file && paths_conf(usual))
        arguments.daemon.conf_file = usual;
    if (arguments.daemon.conf_file && conf_read(conf, arguments.daemon.conf_file, error) < 0) {
        complain(error);
        conf_destroy(conf);
        return EXIT_USAGE;
    }
    set_or_exit(conf, "daemon", "listen", arguments.daemon.listen);
    set_or_exit(conf, "workers", "count", arguments.daemon.workers);
    if (arguments.print)
        conf_print(conf, stdout);
    if (arguments.check && !arguments.print)
        puts("fetchd: the settings are right");
    if (arguments.print || arguments.check) {
        conf_destroy(conf);
        return EXIT_SUCCESS;
    }
    return daemon_run(conf, &arguments.daemon);
}

int main(int argc, char **argv)
{
    return service_run(argc, argv, run);
}
