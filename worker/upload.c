/* A bounded buffer between the client's DATA and libcurl's reads. */
#include "upload.h"

#include "ipc/message.h"

#include <string.h>

void upload_init(struct upload *upload)
{
    *upload = (struct upload){ .open = false };
    ipc_buffer_init(&upload->pending, UPLOAD_WINDOW);
}

void upload_finish(struct upload *upload)
{
    ipc_buffer_finish(&upload->pending);
}

void upload_reset(struct upload *upload, uint64_t expected_bytes)
{
    upload_finish(upload);
    upload_init(upload);
    upload->expected_bytes = expected_bytes;
}

int64_t upload_open(struct upload *upload)
{
    if (upload->open)
        return 0;
    upload->open = true;
    ipc_window_init(&upload->window, UPLOAD_WINDOW);
    return UPLOAD_WINDOW;
}

static enum upload_result end(struct upload *upload)
{
    upload->ended = true;
    bool promised = upload->expected_bytes != UINT64_MAX;
    return promised && upload->received_bytes < upload->expected_bytes ? UPLOAD_TOO_SHORT : UPLOAD_OK;
}

/* The end costs a frame's charge like any DATA. It is given back with what follows, if anything. */
enum upload_result upload_receive(struct upload *upload, const void *data, size_t length)
{
    if (!upload->open || upload->ended || !ipc_window_spend(&upload->window, length))
        return UPLOAD_VIOLATION;
    if (length == 0)
        return end(upload);
    if (length > upload->expected_bytes - upload->received_bytes)
        return UPLOAD_TOO_LONG;
    if (ipc_buffer_append(&upload->pending, data, length) < 0)
        return UPLOAD_NO_MEMORY;
    upload->received_bytes += length;
    return UPLOAD_OK;
}

/* What was charged for frames comes back in proportion: by the time all payload was read, all of it. */
static int64_t give_back(struct upload *upload, size_t length)
{
    struct ipc_window *window = &upload->window;
    int64_t spent = window->window - window->available - window->owed;
    int64_t pending = (int64_t)ipc_buffer_length(&upload->pending);
    window->owed += pending == 0 ? spent : (int64_t)length;
    if (window->owed < window->window / 2)
        return 0;
    int64_t grant = window->owed;
    window->available += grant;
    window->owed = 0;
    return grant;
}

size_t upload_read(struct upload *upload, void *place, size_t size, int64_t *ret_grant)
{
    size_t length = ipc_buffer_length(&upload->pending);
    *ret_grant = 0;
    upload->paused = length == 0 && !upload->ended;
    if (length == 0)
        return 0;
    if (length > size)
        length = size;
    memcpy(place, ipc_buffer_data(&upload->pending), length);
    ipc_buffer_consume(&upload->pending, length);
    upload->read_bytes += length;
    if (!upload->ended)
        *ret_grant = give_back(upload, length);
    return length;
}
