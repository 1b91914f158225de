/* Between screen.c and its platform half, which has the keys and the signals. */
#ifndef FETCHCTL_SCREEN_PLATFORM_H
#define FETCHCTL_SCREEN_PLATFORM_H

#include "screen.h"

/* The terminal's other screen, without a cursor, or its own again. */
void screen_show(bool other);

#endif
