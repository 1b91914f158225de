/* A growing byte buffer with a ceiling, read from its front and written at its end. */
#ifndef IPC_BUFFER_H
#define IPC_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ipc_buffer {
    uint8_t *memory;
    size_t start;      /* first unread byte */
    size_t end;        /* one past the last byte */
    size_t capacity;
    size_t limit;      /* unread bytes never exceed it */
    size_t kept;       /* an emptied buffer above this gives its memory back; 64 KiB unless set */
    bool wipes;        /* what was read is overwritten: it may be secret. false unless set */
    struct ipc_spare *spare;   /* where such memory goes and comes from; NULL unless set, not for one that wipes */
};

/* One piece of memory that many buffers use in turn, so that a busy one does not ask the system for new
 * pages each time it fills. Starts as zeros. */
struct ipc_spare {
    uint8_t *memory;
    size_t capacity;
};

void ipc_spare_finish(struct ipc_spare *spare);

void ipc_buffer_init(struct ipc_buffer *buffer, size_t limit_bytes);
void ipc_buffer_finish(struct ipc_buffer *buffer);

static inline size_t ipc_buffer_length(const struct ipc_buffer *buffer)
{
    return buffer->end - buffer->start;
}

static inline uint8_t *ipc_buffer_data(const struct ipc_buffer *buffer)
{
    return buffer->memory ? buffer->memory + buffer->start : NULL;
}

/* Room for `bytes` more at the end: the place to write them, to be confirmed by
 * ipc_buffer_commit. NULL above the limit or without memory; nothing changed then. */
uint8_t *ipc_buffer_reserve(struct ipc_buffer *buffer, size_t bytes);
void ipc_buffer_commit(struct ipc_buffer *buffer, size_t bytes);

/* 0, or -1 above the limit or without memory. */
int ipc_buffer_append(struct ipc_buffer *buffer, const void *data, size_t bytes);

/* Drops bytes from the front. Memory that an emptied buffer no longer needs goes back. */
void ipc_buffer_consume(struct ipc_buffer *buffer, size_t bytes);

/* Drops bytes from the end, to undo a half-written record. */
void ipc_buffer_truncate(struct ipc_buffer *buffer, size_t length);

#endif
