/* Opening a file by a path that is UTF-8. */
#ifndef CLIENT_OPENING_H
#define CLIENT_OPENING_H

/* What parts a path. */
#ifdef _WIN32
#define OPENING_SLASHES "/\\"
#else
#define OPENING_SLASHES "/"
#endif

/* For reading bytes, closed on exec. -1 with errno set. */
int opening_read(const char *path);

#endif
