/* Users and groups by numbers, as tests name them: themselves on Unix, made SIDs of on Windows. */
#ifndef UNIT_MEMBERS_H
#define UNIT_MEMBERS_H

#include <stdint.h>

/* A list such as "1000, @50" as a setting is written. It lives until the next call. */
const char *members_written(const char *numbers);

/* As struct peer counts it. */
uint64_t members_id(uint64_t number);

#endif
