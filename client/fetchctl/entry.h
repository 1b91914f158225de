/* One line of a batch: a URL, or a JSON object whose names are those of the protocol's FETCH. What
 * a line does not say is as the command line has it. */
#ifndef FETCHCTL_ENTRY_H
#define FETCHCTL_ENTRY_H

#include "client/text.h"

#include <fetchd/client.h>
#include <stdbool.h>

struct json_t;   /* Jansson's */
struct lane;

#define ENTRY_LISTS 4

struct entry {
    struct fetchd_options asked; /* borrows from here, and from the defaults */
    const char *url;             /* as it was written; "" for a line that has none */
    char *key;                   /* what a later run knows it by: see entry_key() */
    char *id;                    /* the line's "id" as JSON, NULL for none */
    char digest[17];             /* of a JSON line without an id; "" else */
    const char *output;          /* the name of its file, NULL: after the URL */
    uint64_t number;             /* of those in the list, from 1 */
    char *wrong;                 /* NULL, or why it can't be asked */
    struct json_t *json;
    char *line;
    struct fetchd_header *headers, *query;
    const char **lists[ENTRY_LISTS];   /* of the fields that have one, "resolve" say */
    size_t list_count;
    struct text body;
    struct entry *next; /* in its lane */
    struct lane *lane;
};

/* Reads a line into a zeroed entry. One that is wrong has `wrong` and is to be finished as well. */
void entry_init(struct entry *entry, const char *line, uint64_t number,
                const struct fetchd_options *defaults);
void entry_finish(struct entry *entry);

/* The key of an answered line: by its "id", else its "request" (the digest of a JSON line), else
 * its "url". NULL when it has none of them. Free it. */
char *entry_key(const struct json_t *answered);

/* True when asking again can do no harm although it may have arrived. */
bool entry_is_idempotent(const struct entry *entry);

#endif
