/* -C with -T: an FTP upload goes on where the file there ends. */
#ifndef FETCHCTL_RESUME_H
#define FETCHCTL_RESUME_H

#include "client/body.h"

#include <fetchd/client.h>

/* Whether a URL is one that an upload can be resumed at. */
bool resume_is_possible(const char *url);

/* Finds the offset that `continue_at` means (- asks the server for the file's size), lets `body` begin
 * there, and makes an append of the request. *ret_whole: nothing is left to send. 0, or the exit code, the
 * reason already said. */
int resume_upload(struct fetchd_client *client, struct fetchd_options *asked, const char *continue_at,
                  struct body *body, bool *ret_whole);

#endif
