/* fetchctl top: what the daemon is doing, looked at again and again. */
#ifndef FETCHCTL_TOP_H
#define FETCHCTL_TOP_H

#include "client/text.h"
#include "options.h"
#include "value.h"

#include <fetchd/client.h>

int top_run(struct fetchd_client *client, const struct options *options);

/* The view of two looks at the status, so many seconds apart; `before` may be NULL. */
void top_print(struct text *out, const struct value *before, const struct value *now, double seconds);

#endif
