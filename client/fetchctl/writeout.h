/* -w: curl's %{variables} after a transfer. */
#ifndef FETCHCTL_WRITEOUT_H
#define FETCHCTL_WRITEOUT_H

#include <fetchd/client.h>
#include <stddef.h>

struct writeout {
    const struct fetchd_options *options;
    const struct fetchd_done *done;          /* never NULL */
    const struct fetchd_response *response;  /* NULL: none came */
    const char *file;                        /* where the body went, or "" */
    const char *error_message;               /* or "" */
    int exit_code;
    uint64_t body_bytes, url_number, retries;
    unsigned redirects;
};

/* 0, or the exit code when the format has something that is not known, already said. */
int writeout_check(const char *format);

void writeout_print(const char *format, const struct writeout *values);

/* The name of a variable, NULL when there are not so many. */
const char *writeout_variable(size_t index);

#endif
