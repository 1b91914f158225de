/* One URL of get, post and so on: asked, its body sent, its answer written, until its DONE. */
#ifndef FETCHCTL_TRANSFER_H
#define FETCHCTL_TRANSFER_H

#include "client/body.h"
#include "options.h"
#include "output.h"
#include "progress.h"

#include <fetchd/client.h>

#define TRANSFER_CHUNK_BYTES (64 * 1024)

struct transfer {
    const struct options *options;
    struct fetchd_client *client;
    struct fetchd_options asked;
    struct body *body;             /* that goes up; NULL for none, or when it is in `asked` */
    struct output output;
    struct output head;            /* of -D */
    struct progress progress;
    uint64_t resume_bytes;         /* of -C */
    bool resumed;                  /* -C was given */

    struct fetchd_request *request;
    struct fetchd_response *response;
    char *chunk;                   /* of the body that goes up, not yet taken */
    size_t chunk_at, chunk_length;
    bool may_write, body_sent;
    bool ignores_body;
    bool over;
    int watched;                   /* the file that the worker writes, -1: none */
    int code;                      /* exit code, 0 so far */
    bool retryable;
    bool moves;                    /* not taken, for the daemon stops: its successor may */
    char *message;                 /* why it failed, or NULL */
    uint64_t body_bytes;
    unsigned hops;
    struct fetchd_done done;       /* its strings are gone, but for `remote` */
    char remote[80];
};

/* Asks and waits for the end. The exit code is in transfer->code. */
void transfer_run(struct transfer *transfer);

/* Forgets the answer, so that it can be run again. */
void transfer_reset(struct transfer *transfer);
void transfer_finish(struct transfer *transfer);

#endif
