/* glibc's files, and its name services by dlopen. */
#include "lookups.h"

#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NSSWITCH "/etc/nsswitch.conf"
#define LINE_BYTES 512

static const char *const files[] = {
    "/etc/resolv.conf", "/etc/hosts", NSSWITCH, "/etc/gai.conf", "/etc/host.conf", "/etc/services", "/etc/hostname",
};

/* Cache daemons that glibc asks first. */
static const char *const cache_sockets[] = { "/run/nscd/socket", "/var/run/nscd/socket" };

/* Part of the C library itself since glibc 2.34, and needing no socket but the network's. */
static const char *const built_in[] = { "files", "dns", "compat", "db", "myhostname" };

static void add_path(struct lookups *lookups, const char *path)
{
    for (size_t i = 0; i < lookups->count; i++)
        if (strcmp(lookups->paths[i], path) == 0)
            return;
    char *copy = lookups->count < LOOKUPS_PATHS ? strdup(path) : NULL;
    if (copy)
        lookups->paths[lookups->count++] = copy;
}

/* Behind links too: /etc/resolv.conf is often one into /run, where a daemon replaces the file. There the
 * folder is that daemon's own; elsewhere only the file is ours to read. */
static void add_file(struct lookups *lookups, const char *file, bool whole_folder)
{
    char real[PATH_MAX];
    add_path(lookups, file);
    if (!realpath(file, real))
        return;
    bool in_run = strncmp(real, "/run/", 5) == 0 && strchr(real + 5, '/');
    bool in_etc = strncmp(real, "/etc/", 5) == 0;
    add_path(lookups, in_run || (in_etc && whole_folder) ? dirname(real) : real);
}

static bool is_built_in(const char *service)
{
    for (size_t i = 0; i < sizeof built_in / sizeof built_in[0]; i++)
        if (strcmp(service, built_in[i]) == 0)
            return true;
    return false;
}

/* Never closed: the C library finds it by its name when it wants it. */
static void load_service(struct lookups *lookups, const char *service)
{
    char library[LINE_BYTES + 16];
    if (*service == '[' || strchr(service, '/'))
        return;   /* [NOTFOUND=return] */
    snprintf(library, sizeof library, "libnss_%s.so.2", service);
    dlopen(library, RTLD_NOW);
    lookups->local_sockets = lookups->local_sockets || !is_built_in(service);
}

static void load_services(struct lookups *lookups, char *line)
{
    char *rest = line;
    line[strcspn(line, "#\n")] = '\0';
    for (char *word; (word = strsep(&rest, " \t"));)
        if (*word)
            load_service(lookups, word);
}

static void read_nsswitch(struct lookups *lookups)
{
    char line[LINE_BYTES];
    FILE *file = fopen(NSSWITCH, "re");
    while (file && fgets(line, sizeof line, file)) {
        const char *start = line + strspn(line, " \t");
        if (strncmp(start, "hosts:", 6) == 0)
            load_services(lookups, line + (start - line) + 6);
    }
    if (file)
        fclose(file);
}

void lookups_prepare(struct lookups *ret_lookups, bool whole_folders)
{
    struct stat status;
    *ret_lookups = (struct lookups){ .count = 0 };
    if (whole_folders)
        add_path(ret_lookups, "/etc");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        add_file(ret_lookups, files[i], whole_folders);
    read_nsswitch(ret_lookups);
    for (size_t i = 0; i < sizeof cache_sockets / sizeof cache_sockets[0]; i++)
        if (stat(cache_sockets[i], &status) == 0)
            ret_lookups->local_sockets = true;
}

void lookups_finish(struct lookups *lookups)
{
    for (size_t i = 0; i < lookups->count; i++)
        free(lookups->paths[i]);
    lookups->count = 0;
}
