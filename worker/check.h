/* Whether a request may be given to libcurl as it is. libcurl sends a method or a header with CR and
 * LF inside just as it gets them, which makes two requests of one: so everything that ends up in the
 * request's head is checked here first. Pure. */
#ifndef WORKER_CHECK_H
#define WORKER_CHECK_H

#include "ipc/error.h"
#include "ipc/message.h"
#include "ipc/origin.h"

struct check_refusal { enum ipc_error_code error; char message[256]; };

/* 0 with the origin of fetch->url (borrowed from it), or -1 with ret_refusal. */
int check_fetch(const struct ipc_fetch *fetch, struct ipc_origin *ret_origin,
                struct check_refusal *ret_refusal);

/* Of an FTP download: what the header Range asks for, "100-", "0-499" or "-500", ended by a NUL as the value
 * itself is. data is NULL when there is none. */
struct ipc_bytes check_range(const struct ipc_fetch *fetch);

/* Methods that mean a body: without one they say so, by a length of 0. */
bool check_means_body(struct ipc_text method);

/* Whether `name` is this lower-case header name, in any case. */
bool check_name_is(struct ipc_bytes name, const char *lower_case);

#endif
