/* The folder of --output-dir: a file for each body. Names are made from URLs, which come from
 * anywhere: a name is one that stays in the folder, hides nothing and replaces nothing. A file has
 * its name only when its body is whole; before, it is .NAME.part. */
#ifndef FETCHCTL_FOLDER_H
#define FETCHCTL_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

struct given;

struct folder {
    int fd;              /* Unix: -1: none */
    char *path;          /* Windows */
    bool resumed;        /* .part files there are an earlier run's, and may be begun anew */
    struct given *given; /* names that were asked for or given out in this run */
};

struct saved {
    int fd; /* -1: none */
    char *name;
    bool may_replace; /* the name was asked for: what an earlier run left there is replaced */
};

#define SAVED_NONE ((struct saved){.fd = -1})

/* Opens the folder and makes it if it isn't there (its parent must be). 0, or -1 with errno. */
int folder_open(struct folder *folder, const char *path);
void folder_close(struct folder *folder);

/* Marks a name as given out. False when it was already. */
bool folder_claim(struct folder *folder, const char *name);

/* A file for a body: of the name `wanted`, which is claimed, or, when that is NULL, of one made
 * from the URL. 0, or -1 with errno. */
int folder_begin(struct folder *folder, const char *wanted, const char *url,
                 struct saved *ret_saved);

/* 0, or -1 with errno. */
int saved_write(struct saved *saved, const void *data, size_t size);

/* The body is whole: gives the file its name, which may have a number behind it meanwhile. 0, or -1
 * with errno; then, too, nothing is left but the name to be freed. */
int folder_keep(struct folder *folder, struct saved *saved);

/* The body is not: removes the file. */
void folder_drop(struct folder *folder, struct saved *saved);

/* The name that a URL gives: its last part, what is not harmless replaced. Free it. */
char *folder_name_of(const char *url);

#endif
