/* Between unit.c and its platform half. */
#ifndef UNIT_UNIT_PLATFORM_H
#define UNIT_UNIT_PLATFORM_H

#include "unit.h"

#define UNIT_SKIPPED 77

/* How a test's process ended. */
struct unit_end {
    int code;              /* what it exited with, -1: it did not */
    char crash[80];        /* ... and why */
};

/* Before the first test. */
void unit_prepare(void);

/* Runs the test in a process of its own, that calls unit_run_here(); what it said goes into `output`, with a NUL. False when
 * there can be no process. */
bool unit_run_apart(const struct unit_test *test, char *output, size_t size, struct unit_end *ret_end);

/* In that process: what it exits with. */
int unit_run_here(const struct unit_test *test);

#endif
