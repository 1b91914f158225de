/* -v: one request through its stages, on stderr, credentials left out. */
#ifndef FETCHCTL_TRACE_H
#define FETCHCTL_TRACE_H

#include <fetchd/client.h>
#include <stdio.h>

void trace_daemon(const struct fetchd_daemon *daemon);
void trace_request(const struct fetchd_options *options);
void trace_response(const struct fetchd_response *response, bool is_hop);
void trace_done(const struct fetchd_done *done);

/* A URL without user and password. */
void trace_url(FILE *out, const char *url);

#endif
