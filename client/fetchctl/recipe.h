/* What every URL of a command line is asked with: the headers, limits and certificates that the
 * options name, read once. The body of the curl-like commands is body.h's. */
#ifndef FETCHCTL_RECIPE_H
#define FETCHCTL_RECIPE_H

#include "options.h"

#include <fetchd/client.h>

struct recipe {
    struct fetchd_options options;   /* all but the URL; borrows from here and from struct options */
    struct fetchd_header *headers;
    size_t header_count;
    struct text ca, proxy_ca, cert, key;
};

/* 0, or the exit code, the reason already said. */
int recipe_init(struct recipe *recipe, const struct options *options);
void recipe_finish(struct recipe *recipe);

/* The URL with what -G and --url-query add. Free it. */
char *recipe_url(const struct options *options, const char *url);

/* Adds a header of our own, unless the command line has one of that name. */
void recipe_add_default(struct recipe *recipe, const char *name, const char *value);

#endif
