/* Error names: stable, dotted, one table (errors.def). */
#ifndef IPC_ERROR_H
#define IPC_ERROR_H

#include <stddef.h>

enum ipc_error_code {
    IPC_ERROR_NONE,
#define ERROR_NAME(CONSTANT, name, exit_code, text) IPC_ERROR_##CONSTANT,
#include "errors.def"
    IPC_ERROR_COUNT,
};

const char *ipc_error_name(enum ipc_error_code code);   /* "dns.failed" */
const char *ipc_error_text(enum ipc_error_code code);   /* a sentence without a full stop */
int ipc_error_exit_code(enum ipc_error_code code);      /* fetchctl's */

/* The code of a name of `length` bytes, IPC_ERROR_INTERNAL for one that is not in the table. */
enum ipc_error_code ipc_error_find(const char *name, size_t length);

#endif
