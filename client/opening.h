/* Opening a file by a path that is UTF-8. */
#ifndef CLIENT_OPENING_H
#define CLIENT_OPENING_H

/* For reading bytes, closed on exec. -1 with errno set. */
int opening_read(const char *path);

#endif
