/* multipart/form-data (RFC 7578) from curl's -F. */
#ifndef FETCHCTL_MULTIPART_H
#define FETCHCTL_MULTIPART_H

#include "body.h"
#include "strings.h"

#define MULTIPART_BOUNDARY_BYTES 48

/* A boundary that nobody can foresee. 0, or -1 without random numbers. */
int multipart_boundary(char *ret_boundary);

/* Appends the whole form to `body`. 0, or the exit code, the reason already said. */
int multipart_build(struct body *body, const struct strings *forms, const char *boundary);

#endif
