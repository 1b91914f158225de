/* What an operator asks of the daemon. */
#include "control.h"

#include "daemon.h"
#include "metrics.h"

#include <string.h>

#define NOT_ADMIN "only root, the daemon's own user and those in [access] admin may do that"

void control_metrics(struct session *session, uint32_t id)
{
    struct ipc_buffer text;
    ipc_buffer_init(&text, METRICS_BYTES);
    if (metrics_write(session->daemon, session->admin ? NULL : session->principal, &text) < 0) {
        session_fail(session, IPC_ERROR_OUT_OF_MEMORY, "no memory for the metrics");
    } else {
        struct ipc_metrics_reply reply = { .text = { ipc_buffer_data(&text), ipc_buffer_length(&text) } };
        session_send(session, IPC_METRICS_REPLY, id, &reply);
    }
    ipc_buffer_finish(&text);
}

static void reply(struct session *session, uint32_t id, enum ipc_error_code code, const char *message)
{
    struct ipc_failure failure;
    struct ipc_control_reply control = { .error = code == IPC_ERROR_NONE ? NULL : &failure };
    memset(&failure, 0, sizeof failure);
    failure.name = ipc_text(ipc_error_name(code));
    failure.message = ipc_text(message);
    session_send(session, IPC_CONTROL_REPLY, id, &control);
}

void control_reload(struct session *session, uint32_t id)
{
    char error[CONF_ERROR_BYTES];
    if (!session->admin)
        reply(session, id, IPC_ERROR_ACCESS_DENIED, NOT_ADMIN);
    else if (daemon_reload(session->daemon, error) < 0)
        reply(session, id, IPC_ERROR_REQUEST_INVALID, error);
    else
        reply(session, id, IPC_ERROR_NONE, NULL);
}

void control_drain(struct session *session, uint32_t id)
{
    if (!session->admin) {
        reply(session, id, IPC_ERROR_ACCESS_DENIED, NOT_ADMIN);
        return;
    }
    reply(session, id, IPC_ERROR_NONE, NULL);
    daemon_drain(session->daemon);
}
