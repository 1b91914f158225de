/* A request of a batch while it is asked, and the JSON line that it becomes. */
#ifndef FETCHCTL_ITEM_H
#define FETCHCTL_ITEM_H

#include "entry.h"
#include "folder.h"
#include "options.h"

#include <sha2.h>

struct item {
    struct entry entry; /* the first, so that lanes can hand it out */
    struct fetchd_request *request;
    struct item *next, *previous; /* in flight */
    int64_t start_us;
    unsigned status;
    char http_version[8];
    uint64_t bytes;
    SHA2_CTX hash;
    struct text headers; /* as JSON, with --include */
    struct text body;    /* with --with-body */
    char *url_effective; /* NULL: as asked */
    struct saved saved;
};

/* From a line of the list, the one of that number. */
struct item *item_create(const char *line, uint64_t number, const struct fetchd_options *defaults);

/* Frees it; its request and file are ended before. */
void item_finish(struct item *item);

/* Its time runs from here. */
void item_start(struct item *item);

/* Keeps the headers, for its line. */
void item_take_headers(struct item *item, const struct fetchd_response *response);

/* What came of it, as --hash and --with-body want it; `done` NULL when it was never asked. */
void item_put_line(struct text *out, struct item *item, const struct options *options,
                   const struct fetchd_done *done, const struct fetchd_error *error);

#endif
