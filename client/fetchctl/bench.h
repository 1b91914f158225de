/* fetchctl bench: one URL many times, and how long that took. */
#ifndef FETCHCTL_BENCH_H
#define FETCHCTL_BENCH_H

#include "options.h"

#include <fetchd/client.h>

/* The exit code: 0 when every request succeeded. */
int bench_run(const struct options *options);

#endif
