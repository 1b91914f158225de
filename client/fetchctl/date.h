/* Dates of HTTP, as people write them and as it does (RFC 9110, 5.6.7). */
#ifndef FETCHCTL_DATE_H
#define FETCHCTL_DATE_H

#include <time.h>

#define DATE_BYTES 32

/* "Sun, 06 Nov 1994 08:49:37 GMT", its older forms, "1994-11-06", "19941106" or "1994-11-06 08:49:37",
 * all in UTC. 0, or -1 for something else. */
int date_read(const char *text, time_t *ret_time);

void date_write(time_t time, char ret_text[DATE_BYTES]);

#endif
