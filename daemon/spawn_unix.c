/* uv_spawn with a socketpair for the channel: a descriptor can be sent over it, which no pipe can. libuv makes all of
 * it to be closed in other children. */
#include "spawn.h"

#include <sys/socket.h>
#include <unistd.h>

static void close_pair(const int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

int spawn_worker(uv_loop_t *loop, struct child *child, const struct spawn_order *order,
                 struct spawned *ret_spawned)
{
    int channel[2], log[2];
    int status = uv_socketpair(SOCK_STREAM, 0, channel, 0, 0);
    if (status < 0)
        return status;
    status = uv_pipe(log, 0, 0);
    if (status < 0) {
        close_pair(channel);
        return status;
    }
    char *arguments[] = { (char *)(uintptr_t)order->program, NULL }, *environment[] = { NULL };
    uv_stdio_container_t stdio[3] = {
        { .flags = UV_INHERIT_FD, .data.fd = channel[1] },
        { .flags = UV_IGNORE },
        { .flags = UV_INHERIT_FD, .data.fd = log[1] },
    };
    uv_process_options_t options = { .file = order->program, .args = arguments, .env = environment,
                                     .cwd = "/", .stdio = stdio, .stdio_count = 3 };
    status = child_spawn(child, loop, &options);
    close(channel[1]);
    close(log[1]);
    if (status < 0) {
        close(channel[0]);
        close(log[0]);
        return status;
    }
    *ret_spawned = (struct spawned){ channel[0], log[0] };
    return 0;
}
