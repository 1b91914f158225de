/* The FETCH as it would be sent again; it may hold credentials, and ends with the request. */
#include "request_steps.h"

#include "daemon.h"
#include "principal.h"
#include "session.h"

#include "ipc/pack.h"
#include "ipc/secret.h"
#include "ipc/unpack.h"

#include <string.h>

/* It may hold credentials, and ends with the request. */
int request_keep(struct request *request, const uint8_t *body, size_t length)
{
    uint8_t *copy = ipc_secret_alloc(length);
    if (!copy)
        return -1;
    memcpy(copy, body, length);
    ipc_secret_free(request->kept);
    if (request->session)
        request->session->principal->kept_bytes += length - request->kept_length;
    request->kept = copy;
    request->kept_length = length;
    return 0;
}

/* What was kept: the client's own frame may be long gone. */
int request_read_kept(struct request *request, struct ipc_fetch *ret_fetch)
{
    struct ipc_frame frame = { .type = IPC_FETCH, .body = request->kept, .body_length = request->kept_length };
    return ipc_unpack(&request->daemon->kept_decoder, IPC_CLIENT, &frame, ret_fetch);
}

/* As it is to be sent again. */
int request_keep_packed(struct request *request, const struct ipc_fetch *fetch)
{
    struct ipc_buffer packed;
    struct ipc_frame frame;
    ipc_buffer_init(&packed, REQUEST_FETCH_BYTES + 64);
    packed.wipes = true;
    int result = ipc_pack(&packed, IPC_CLIENT, IPC_FETCH, 0, fetch);
    if (result == 0 && ipc_frame_read(ipc_buffer_data(&packed), ipc_buffer_length(&packed), &frame, NULL)
                           == IPC_FRAME_OK)
        result = request_keep(request, frame.body, frame.body_length);
    ipc_buffer_finish(&packed);
    return result;
}
