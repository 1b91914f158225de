/* The query of a URL, as a browser's form writes it (application/x-www-form-urlencoded). */
#ifndef CLIENT_QUERY_H
#define CLIENT_QUERY_H

#include "text.h"

/* Percent-encodes all but letters, digits and -._~; a space becomes +. */
void query_encode(struct text *out, const void *data, size_t length);

/* The URL with `query`, which is encoded already, behind the query it has; its fragment stays last. */
void query_append(struct text *out, const char *url, const char *query);

#endif
