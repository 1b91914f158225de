/* multipart/form-data (RFC 7578), part by part, as a body in pieces. */
#ifndef CLIENT_FORMDATA_H
#define CLIENT_FORMDATA_H

#include "body.h"

struct fetchd_part;

#define FORMDATA_BOUNDARY_BYTES 48

/* A boundary that nobody can foresee. 0, or -1 without random numbers. */
int formdata_boundary(char *ret_boundary);

/* Each returns 0, or -1 with errno set. */
int formdata_add(struct body *body, const struct fetchd_part *part, const char *boundary);
int formdata_end(struct body *body, const char *boundary);

#endif
