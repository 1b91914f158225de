/* multipart/form-data (RFC 7578) from curl's -F. */
#ifndef FETCHCTL_MULTIPART_H
#define FETCHCTL_MULTIPART_H

#include "client/body.h"
#include "strings.h"

/* Appends the whole form to `body`. 0, or the exit code, the reason already said. */
int multipart_build(struct body *body, const struct strings *forms, const char *boundary);

#endif
