/* Cookie files in Netscape's format: a line a cookie, seven fields between tabs. Pure. */
#ifndef CLIENT_NETSCAPE_H
#define CLIENT_NETSCAPE_H

#include "ipc/message.h"
#include "text.h"

#include <stdbool.h>

#define NETSCAPE_HEAD "# Netscape HTTP Cookie File\n"

/* Takes the next line off *text. False at its end. */
bool netscape_next_line(struct ipc_bytes *text, struct ipc_bytes *ret_line);

/* What a line says; it borrows from the line. False for a comment, an empty line, or no cookie. */
bool netscape_read(struct ipc_bytes line, struct ipc_cookie *ret_cookie);

/* Adds a cookie's line. */
void netscape_write(struct text *out, const struct ipc_cookie *cookie);

#endif
