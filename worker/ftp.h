/* What is different about a fetch of an ftp: or ftps: URL. libcurl speaks FTP, passive only: nothing here
 * ever listens. This gives it the options, reads along what the server replies, and makes a RESPONSE of it. */
#ifndef WORKER_FTP_H
#define WORKER_FTP_H

#include "ipc/message.h"

#include <stdbool.h>
#include <stddef.h>

struct easy;
struct transfer;

#define FTP_REPLY_BYTES 120

struct ftp {
    unsigned reply, opened;             /* code of the last whole reply; of the one that began the transfer */
    char reply_text[FTP_REPLY_BYTES];   /* the last one's line, printable ASCII */
    unsigned data_port;                 /* where the server wants the data connection to go */
    bool can_rest;
    size_t received_bytes;              /* of all replies */
    size_t body_at;                     /* of an inline body: what libcurl has read */
};

/* 0, or libcurl's codes ORed. */
unsigned ftp_prepare(struct easy *easy, const struct ipc_fetch *fetch);

/* A line that the server said. False with the transfer doomed. */
bool ftp_on_line(struct transfer *transfer, const char *line, size_t length);

/* The next piece of an inline body, 0 at its end. */
size_t ftp_read(struct transfer *transfer, void *place, size_t size);

/* Makes the answer's headers of what libcurl knows. Returns the answer's status. */
unsigned ftp_make_headers(struct transfer *transfer);

/* libcurl is done and still has the transfer. */
void ftp_on_done(struct transfer *transfer);

#endif
