/* A struct fetchd_error with the memory of its strings, built from our own words or a daemon's. */
#ifndef CLIENT_FAILURE_H
#define CLIENT_FAILURE_H

#include "fetchd/client.h"
#include "ipc/error.h"

struct failure {
    struct fetchd_error error;
    char name[65], phase[33], curl_name[65];
    char message[768];
};

/* "" as the format gives the table's text for the code. */
void __attribute__((format(gnu_printf, 3, 4))) failure_set(struct failure *failure, enum ipc_error_code code,
                                                       const char *format, ...);

/* Copies an error with its strings; a very long message is cut. */
void failure_copy(struct failure *failure, const struct fetchd_error *error);

/* What is said when there is not even a client. */
const struct fetchd_error *failure_without_client(void);

#endif
