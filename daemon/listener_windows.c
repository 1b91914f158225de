/* A named pipe, several instances of which wait for clients at any time, in a thread of their own that knows nothing
 * else: libuv's own pipes have no permissions and let other machines in. The thread hands those over whom a client
 * has come to, the loop makes descriptors of them. */
#include "listener.h"

#include "account.h"
#include "log.h"

#include "conf/sid.h"
#include "conf/wide.h"
#include "ipc/buffer.h"
#include "ipc/endpoint.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
/* After windows.h. */
#include <sddl.h>

#define WAITING 16            /* instances without a client */
#define TAKEN_MOST 256        /* with one, for whom the loop has not come yet */
#define PIPE_BYTES (64 * 1024)
#define RETRY_MS 100
/* To read and write; GW would be to make instances of the pipe as well, and so to be the daemon for others. */
#define CLIENT_RIGHTS "0x12019b"
#define SDDL_BYTES ((size_t)256 * 1024)
#define NAME_CHARACTERS 300

struct instance {
    HANDLE pipe;              /* NULL: could not be made, tried again soon */
    OVERLAPPED overlapped;    /* with its event */
};

struct listener_pipes {
    struct listener *listener;
    wchar_t name[NAME_CHARACTERS];
    uv_async_t arrived;
    uv_thread_t thread;
    uv_mutex_t mutex;
    HANDLE wake;              /* there is something new for the thread */
    struct instance instances[WAITING];       /* the thread's, once it runs */
    /* Between both, under the mutex: */
    bool stop, permissions_changed;
    PSECURITY_DESCRIPTOR permissions;
    HANDLE taken[TAKEN_MOST];
    unsigned taken_count;
};

static int fail(char ret_error[LISTENER_ERROR_BYTES], const char *address, const char *what)
{
    snprintf(ret_error, LISTENER_ERROR_BYTES, "%s: %s", address, what);
    return -1;
}

static int fail_last(char ret_error[LISTENER_ERROR_BYTES], const char *address, const char *what)
{
    snprintf(ret_error, LISTENER_ERROR_BYTES, "%s: %s: %s", address, what,
             uv_strerror(uv_translate_sys_error((int)GetLastError())));
    return -1;
}

/* ---- who may connect ---- */

static void append(struct ipc_buffer *text, const char *more)
{
    ipc_buffer_append(text, more, strlen(more));
}

static void append_entry(struct ipc_buffer *text, const char *kind, const char *rights, const char *whom)
{
    char entry[CONF_SID_TEXT_BYTES + 32];
    snprintf(entry, sizeof entry, "(%s;;%s;;;%s)", kind, rights, whom);
    append(text, entry);
}

/* All of a list; `*` is who is logged on here, which no service and no task is. */
static void append_members(struct ipc_buffer *text, const char *kind, const char *rights, const struct conf_members *members)
{
    for (size_t i = 0; i < members->count; i++) {
        char sid[CONF_SID_TEXT_BYTES] = "IU";
        if (!members->items[i].everyone)
            conf_sid_text(members->items[i].id, sid);
        append_entry(text, kind, rights, sid);
    }
}

static bool denies_everyone(const struct conf_members *deny)
{
    for (size_t i = 0; i < deny->count; i++)
        if (deny->items[i].everyone)
            return true;
    return false;
}

/* In the order in which it is to be read: those whom the lists do not concern, then `deny`, then the others. */
static void write_sddl(const struct conf *conf, struct ipc_buffer *text)
{
    char own[CONF_SID_TEXT_BYTES];
    conf_sid_text(account_own(), own);
    append(text, "O:");   /* whom clients look for; without it a group may own the pipe */
    append(text, own);
    append(text, "D:P");
    append_entry(text, "A", "GA", "SY");
    append_entry(text, "A", "GA", "BA");
    append_entry(text, "A", "GA", own);
    if (!denies_everyone(&conf->access_deny)) {
        append_members(text, "D", "GA", &conf->access_deny);
        append_members(text, "A", CLIENT_RIGHTS, &conf->access_admin);
        append_members(text, "A", CLIENT_RIGHTS, &conf->access_allow);
    }
    ipc_buffer_append(text, "", 1);
}

/* To be freed by LocalFree; NULL with GetLastError. */
static PSECURITY_DESCRIPTOR make_permissions(const struct conf *conf)
{
    PSECURITY_DESCRIPTOR permissions = NULL;
    struct ipc_buffer text;
    ipc_buffer_init(&text, SDDL_BYTES);
    write_sddl(conf, &text);
    const char *sddl = (const char *)ipc_buffer_data(&text);
    if (ConvertStringSecurityDescriptorToSecurityDescriptorA(sddl, SDDL_REVISION_1, &permissions, NULL))
        log_info("daemon: the pipe's permissions: %s", sddl);
    DWORD error = GetLastError();
    ipc_buffer_finish(&text);
    SetLastError(error);
    return permissions;
}

/* ---- instances ---- */

/* True when somebody is there already. */
static bool wait_for_client(struct instance *instance)
{
    ResetEvent(instance->overlapped.hEvent);
    if (ConnectNamedPipe(instance->pipe, &instance->overlapped) || GetLastError() == ERROR_PIPE_CONNECTED)
        return true;
    if (GetLastError() == ERROR_IO_PENDING)
        return false;
    CloseHandle(instance->pipe);   /* who came has gone again: another instance is as good */
    instance->pipe = NULL;
    return false;
}

static bool make_instance(struct listener_pipes *pipes, struct instance *instance, DWORD more_flags)
{
    uv_mutex_lock(&pipes->mutex);
    SECURITY_ATTRIBUTES attributes = { sizeof attributes, pipes->permissions, FALSE };
    DWORD flags = PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | WRITE_DAC | WRITE_OWNER | more_flags;
    HANDLE pipe = CreateNamedPipeW(pipes->name, flags,
                                   PIPE_TYPE_BYTE | PIPE_REJECT_REMOTE_CLIENTS, PIPE_UNLIMITED_INSTANCES, PIPE_BYTES,
                                   PIPE_BYTES, 0, &attributes);
    uv_mutex_unlock(&pipes->mutex);
    instance->pipe = pipe == INVALID_HANDLE_VALUE ? NULL : pipe;
    return instance->pipe != NULL;
}

/* What Windows may still write to must not go before it has. */
static void drop_instance(struct instance *instance)
{
    DWORD none;
    if (instance->pipe) {
        if (CancelIoEx(instance->pipe, &instance->overlapped) || GetLastError() != ERROR_NOT_FOUND)
            GetOverlappedResult(instance->pipe, &instance->overlapped, &none, TRUE);
        CloseHandle(instance->pipe);
    }
    if (instance->overlapped.hEvent)
        CloseHandle(instance->overlapped.hEvent);
    *instance = (struct instance){ .pipe = NULL };
}

/* ---- the thread ---- */

/* False when the loop has to take some first. */
static bool hand_over(struct listener_pipes *pipes, HANDLE pipe)
{
    uv_mutex_lock(&pipes->mutex);
    bool room = pipes->taken_count < TAKEN_MOST;
    if (room)
        pipes->taken[pipes->taken_count++] = pipe;
    uv_mutex_unlock(&pipes->mutex);
    if (room)
        uv_async_send(&pipes->arrived);
    return room;
}

/* Hands over whom a client has come to, makes another one in its place, until nobody is there or no room. */
static void serve(struct listener_pipes *pipes, struct instance *instance)
{
    DWORD none;
    for (;;) {
        if (instance->pipe) {
            if (!HasOverlappedIoCompleted(&instance->overlapped))
                return;
            if (!GetOverlappedResult(instance->pipe, &instance->overlapped, &none, FALSE))
                CloseHandle(instance->pipe);
            else if (!hand_over(pipes, instance->pipe))
                return;
            instance->pipe = NULL;
        }
        if (!make_instance(pipes, instance, 0))
            return;
        if (wait_for_client(instance))
            instance->overlapped.Internal = 0;   /* as if it had waited: completed */
    }
}

/* False when the thread is to end. */
static bool take_orders(struct listener_pipes *pipes)
{
    uv_mutex_lock(&pipes->mutex);
    bool goes_on = !pipes->stop;
    for (size_t i = 0; goes_on && pipes->permissions_changed && i < WAITING; i++)
        if (pipes->instances[i].pipe)
            SetKernelObjectSecurity(pipes->instances[i].pipe, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
                                    pipes->permissions);
    pipes->permissions_changed = false;
    uv_mutex_unlock(&pipes->mutex);
    return goes_on;
}

static void run(void *context)
{
    struct listener_pipes *pipes = context;
    HANDLE events[WAITING + 1] = { pipes->wake };
    while (take_orders(pipes)) {
        DWORD count = 1, patience_ms = INFINITE;
        for (size_t i = 0; i < WAITING; i++) {
            struct instance *instance = &pipes->instances[i];
            serve(pipes, instance);
            if (!instance->pipe)
                patience_ms = RETRY_MS;
            else if (!HasOverlappedIoCompleted(&instance->overlapped))
                events[count++] = instance->overlapped.hEvent;
        }
        WaitForMultipleObjects(count, events, FALSE, patience_ms);
    }
}

/* ---- the loop ---- */

static void take_client(struct listener *listener, HANDLE pipe)
{
    int fd = _open_osfhandle((intptr_t)pipe, O_BINARY);
    if (fd >= 0) {
        listener->on_accept(listener->owner, fd);
        return;
    }
    log_error("daemon: no descriptor for a client, closing; see [daemon] sessions");
    CloseHandle(pipe);
}

static void on_uv_arrived(uv_async_t *async)
{
    struct listener_pipes *pipes = async->data;
    HANDLE taken[TAKEN_MOST];
    uv_mutex_lock(&pipes->mutex);
    unsigned count = pipes->taken_count;
    memcpy(taken, pipes->taken, count * sizeof *taken);
    pipes->taken_count = 0;
    uv_mutex_unlock(&pipes->mutex);
    if (count == TAKEN_MOST)
        SetEvent(pipes->wake);
    for (unsigned i = 0; i < count; i++) {
        if (pipes->listener->open)
            take_client(pipes->listener, taken[i]);
        else
            CloseHandle(taken[i]);
    }
}

void listener_permit(struct listener *listener, const struct conf *conf)
{
    struct listener_pipes *pipes = listener->pipes;
    PSECURITY_DESCRIPTOR permissions = listener->open ? make_permissions(conf) : NULL;
    if (!permissions)
        return;
    uv_mutex_lock(&pipes->mutex);
    LocalFree(pipes->permissions);
    pipes->permissions = permissions;
    pipes->permissions_changed = true;
    uv_mutex_unlock(&pipes->mutex);
    SetEvent(pipes->wake);
}

/* ---- life ---- */

static void free_pipes(struct listener_pipes *pipes)
{
    for (size_t i = 0; i < WAITING; i++)
        drop_instance(&pipes->instances[i]);
    for (unsigned i = 0; i < pipes->taken_count; i++)
        CloseHandle(pipes->taken[i]);
    if (pipes->wake)
        CloseHandle(pipes->wake);
    LocalFree(pipes->permissions);
    uv_mutex_destroy(&pipes->mutex);
    free(pipes);
}

static struct listener_pipes *create_pipes(struct listener *listener)
{
    struct listener_pipes *pipes = calloc(1, sizeof *pipes);
    if (!pipes || uv_mutex_init(&pipes->mutex) < 0) {
        free(pipes);
        return NULL;
    }
    pipes->listener = listener;
    pipes->wake = CreateEventW(NULL, FALSE, FALSE, NULL);
    bool whole = pipes->wake != NULL;
    for (size_t i = 0; i < WAITING; i++)
        whole = (pipes->instances[i].overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)) && whole;
    if (whole)
        return pipes;
    free_pipes(pipes);
    return NULL;
}

/* Where the flag for the first instance is not heard (Wine). */
static bool is_alone(const struct instance *instance)
{
    DWORD instances = 1;
    return GetNamedPipeHandleStateW(instance->pipe, NULL, &instances, NULL, NULL, NULL, 0) && instances == 1;
}

/* The first instance tells whether the name is free, and has the permissions that all others then have. */
static int make_first(struct listener_pipes *pipes, const char *address, const struct conf *conf,
                      char ret_error[LISTENER_ERROR_BYTES])
{
    const char *reason;
    const char *path = ipc_endpoint_path(address, &reason);
    if (!path)
        return fail(ret_error, address, reason);
    if (!conf_wide(path, pipes->name, NAME_CHARACTERS))
        return fail(ret_error, address, "is not UTF-8");
    if (!(pipes->permissions = make_permissions(conf)))
        return fail_last(ret_error, address, "no permissions can be made of [access]");
    bool made = make_instance(pipes, &pipes->instances[0], FILE_FLAG_FIRST_PIPE_INSTANCE);
    if (made ? !is_alone(&pipes->instances[0]) : GetLastError() == ERROR_ACCESS_DENIED)
        return fail(ret_error, address, "another fetchd, or another program, has a pipe of this name");
    if (!made)
        return fail_last(ret_error, address, "can't make the pipe");
    if (wait_for_client(&pipes->instances[0]))
        pipes->instances[0].overlapped.Internal = 0;
    return 0;
}

static int start(struct listener *listener, uv_loop_t *loop, const char *address, char ret_error[LISTENER_ERROR_BYTES])
{
    struct listener_pipes *pipes = listener->pipes;
    int status = uv_async_init(loop, &pipes->arrived, on_uv_arrived);
    if (status == 0) {
        pipes->arrived.data = pipes;
        status = uv_thread_create(&pipes->thread, run, pipes);
        if (status < 0)
            uv_close((uv_handle_t *)&pipes->arrived, NULL);
    }
    if (status < 0)
        return fail(ret_error, address, uv_strerror(status));
    listener->open = true;
    return 0;
}

int listener_open(struct listener *listener, uv_loop_t *loop, const char *address, const struct conf *conf,
                  void (*on_accept)(void *owner, int fd), void *owner, char ret_error[LISTENER_ERROR_BYTES])
{
    *listener = (struct listener){ .fd = -1, .lock_fd = -1, .on_accept = on_accept, .owner = owner };
    listener->pipes = create_pipes(listener);
    if (!listener->pipes)
        return fail(ret_error, address, "not enough memory");
    if (make_first(listener->pipes, address, conf, ret_error) == 0 && start(listener, loop, address, ret_error) == 0)
        return 0;
    listener_finish(listener);
    return -1;
}

int listener_adopt(struct listener *listener, uv_loop_t *loop, int fd, void (*on_accept)(void *owner, int fd),
                   void *owner, char ret_error[LISTENER_ERROR_BYTES])
{
    (void)loop;
    *listener = (struct listener){ .fd = fd, .lock_fd = -1, .on_accept = on_accept, .owner = owner };
    return fail(ret_error, "an inherited pipe", "can't be listened on");
}

void listener_close(struct listener *listener)
{
    struct listener_pipes *pipes = listener->pipes;
    if (!listener->open)
        return;
    listener->open = false;
    uv_mutex_lock(&pipes->mutex);
    pipes->stop = true;
    uv_mutex_unlock(&pipes->mutex);
    SetEvent(pipes->wake);
    uv_thread_join(&pipes->thread);
    for (size_t i = 0; i < WAITING; i++)
        drop_instance(&pipes->instances[i]);
    uv_close((uv_handle_t *)&pipes->arrived, NULL);
}

void listener_finish(struct listener *listener)
{
    if (listener->pipes)
        free_pipes(listener->pipes);
    listener->pipes = NULL;
}
