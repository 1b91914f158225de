/* --etag-save and --etag-compare: the ETag of an answer (RFC 9110, 8.8.3), alone in a file. */
#ifndef FETCHCTL_ETAG_H
#define FETCHCTL_ETAG_H

/* The file's first line; `""`, which no answer has, when there is none or it is empty. Free it. NULL when
 * the file can't be read, the reason already said. */
char *etag_read(const char *path);

/* 0, or -1, the reason already said. */
int etag_write(const char *path, const char *etag);

#endif
