/* A terminal for a view that is drawn again and again: the other screen of it, no echo, the keys one by one.
 * Whatever happens, it is given back as it was. Plain ANSI. */
#ifndef FETCHCTL_SCREEN_H
#define FETCHCTL_SCREEN_H

#include <stdbool.h>

/* 0, or -1 with errno. To be left with screen_leave(). */
int screen_enter(void);
void screen_leave(void);

/* Draws lines, as many and as much of each as there is room for. */
void screen_draw(const char *text);

enum screen_key { SCREEN_TIME, SCREEN_QUIT, SCREEN_REDRAW };

/* Waits so long for the key q, a signal that ends the program, or a change of the window. */
enum screen_key screen_wait(int timeout_ms);

#endif
