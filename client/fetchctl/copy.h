/* A response that outlives its event. */
#ifndef FETCHCTL_COPY_H
#define FETCHCTL_COPY_H

#include <fetchd/client.h>

struct fetchd_response *copy_response(const struct fetchd_response *response);
void copy_free(struct fetchd_response *response);   /* NULL is allowed */

#endif
