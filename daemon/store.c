/* Persistent jars in files. */
#include "store.h"

#include "log.h"
#include "principal.h"

#include "ipc/pack.h"
#include "ipc/secret.h"
#include "ipc/unpack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX ".session"
#define NAME_BYTES 128                            /* UID-NAME.session.damaged */
#define FILE_BYTES ((size_t)256 * 1024 * 1024)    /* largest that is read or written */
#define WRITE_COOKIES 500                         /* of one SESSION_WRITE, as in messages.def, and */
#define WRITE_BYTES ((size_t)512 * 1024)          /* so many bytes of them */
#define WRITE_HOSTS 1000

/* ---- the folder ---- */

int store_open(struct store *store, uv_loop_t *loop, const char *state_folder,
               char ret_error[STORE_ERROR_BYTES])
{
    char path[FOLDER_PATH_BYTES];
    const char *reason;
    store->loop = loop;
    store->folder.open = false;
    if (!*state_folder)
        return 0;
    snprintf(path, sizeof path, "%.4000s/sessions", state_folder);
    if (folder_open(&store->folder, path, &reason) == 0)
        return 0;
    snprintf(ret_error, STORE_ERROR_BYTES, "[daemon] state_dir: %.300s: %.150s", path, reason);
    return -1;
}

void store_close(struct store *store)
{
    folder_close(&store->folder);
}

static void name_file(const struct jar *jar, char ret_name[NAME_BYTES])
{
    snprintf(ret_name, NAME_BYTES, "%" PRIu64 "-%s" SUFFIX, jar->jars->user, jar->name);
}

/* ---- a jar as frames ---- */

struct packing { struct ipc_buffer *out; uint32_t frames; uint64_t now_s; const struct cookie *cookie; };

static size_t record_bytes(const struct cookie *cookie)
{
    return cookie->bytes + COOKIE_HOST_BYTES;
}

/* As many as fit one frame. */
static int pack_cookies(struct packing *packing, const struct jar *jar)
{
    struct ipc_session_write write = { .name = ipc_text(jar->name) };
    struct ipc_cookie records[WRITE_COOKIES];
    size_t count = 0, bytes = 0;
    const struct cookie *cookie = packing->cookie;
    while (cookie && count < WRITE_COOKIES && bytes + record_bytes(cookie) <= WRITE_BYTES) {
        records[count++] = cookie_record(cookie);
        bytes += record_bytes(cookie);
        cookie = cookies_after(cookie, packing->now_s);
    }
    packing->cookie = cookie;
    write.cookies.items = records;
    write.cookies.count = count;
    return ipc_pack(packing->out, IPC_CLIENT, IPC_SESSION_WRITE, packing->frames++, &write);
}

static int pack_hosts(struct packing *packing, const struct jar *jar)
{
    struct ipc_session_write write = { .name = ipc_text(jar->name) };
    struct ipc_hsts records[WRITE_HOSTS];
    size_t count = 0;
    const struct hsts_host *host = jar->hsts.by_name;
    for (; host && count < WRITE_HOSTS; host = host->handle.next)
        records[count++] = hsts_record(host);
    write.hsts.items = records;
    write.hsts.count = count;
    return ipc_pack(packing->out, IPC_CLIENT, IPC_SESSION_WRITE, packing->frames++, &write);
}

/* The frame that counts them comes first, so all are packed twice: without the count, then with it. */
static int pack_all(struct packing *packing, const struct jar *jar, uint32_t count)
{
    struct ipc_session_create create = { .name = ipc_text(jar->name), .persistent = true };
    packing->frames = 1;
    packing->cookie = cookies_from(&jar->cookies, 0, packing->now_s);
    int result = ipc_pack(packing->out, IPC_CLIENT, IPC_SESSION_CREATE, count, &create);
    if (result == 0 && jar->hsts.by_name)
        result = pack_hosts(packing, jar);
    while (result == 0 && packing->cookie)
        result = pack_cookies(packing, jar);
    return result;
}

static int pack_jar(const struct jar *jar, uint64_t now_s, struct ipc_buffer *out)
{
    struct packing packing = { .out = out, .now_s = now_s };
    ipc_buffer_init(out, FILE_BYTES);
    out->wipes = true;
    int result = pack_all(&packing, jar, 0);
    ipc_buffer_truncate(out, 0);
    if (result == 0)
        result = pack_all(&packing, jar, packing.frames);
    if (result < 0)
        ipc_buffer_finish(out);
    return result;
}

/* ---- saving ---- */

static void complain(const struct store *store, struct jar *jar, int error)
{
    if (!jar->complained)
        log_error("session %s of user %" PRIu64 ": can't be written to %s: %s, trying on", jar->name,
                  jar->jars->user, store->folder.path, uv_strerror(error));
    jar->complained = true;
    jar->dirty = true;
}

static void note_saved(const struct store *store, struct jar *jar, int error)
{
    if (error)
        complain(store, jar, error);
    else
        jar->complained = false;
}

static bool begin_saving(const struct store *store, struct jar *jar, uint64_t now_s,
                         struct ipc_buffer *ret_content)
{
    jar->dirty = false;
    jar->saved_s = now_s;
    if (pack_jar(jar, now_s, ret_content) == 0)
        return true;
    complain(store, jar, UV_EFBIG);
    return false;
}

void store_save_now(const struct store *store, struct jar *jar, uint64_t now_s)
{
    struct ipc_buffer content;
    char name[NAME_BYTES];
    if (!begin_saving(store, jar, now_s, &content))
        return;
    name_file(jar, name);
    note_saved(store, jar, folder_replace(&store->folder, name, &content));
    ipc_buffer_finish(&content);
}

struct job {
    uv_work_t work;
    const struct store *store;
    struct jar *jar;
    char name[NAME_BYTES];
    struct ipc_buffer content;
    int error;
};

static void on_uv_work(uv_work_t *work)
{
    struct job *job = work->data;
    job->error = folder_replace(&job->store->folder, job->name, &job->content);
}

/* Another may have its name by now: then this may have been written over that one's file. */
static void unlink_or_renew(const struct store *store, const struct jar *jar, const char *name)
{
    struct jar *heir = jars_find(jar->jars, ipc_text(jar->name));
    if (heir && heir->persistent)
        heir->dirty = true;
    else
        folder_remove(&store->folder, name);
}

static void on_uv_work_done(uv_work_t *work, int status)
{
    struct job *job = work->data;
    struct jar *jar = job->jar;
    jar->saving = false;
    if (jar->removed)
        unlink_or_renew(job->store, jar, job->name);
    else
        note_saved(job->store, jar, status < 0 ? UV_ECANCELED : job->error);
    jar_free_unused(jar);
    ipc_buffer_finish(&job->content);
    free(job);
}

void store_save(const struct store *store, struct jar *jar, uint64_t now_s)
{
    struct job *job = jar->saving ? NULL : calloc(1, sizeof *job);
    if (!job)
        return;
    job->work.data = job;
    job->store = store;
    job->jar = jar;
    name_file(jar, job->name);
    if (!begin_saving(store, jar, now_s, &job->content)) {
        free(job);
        return;
    }
    jar->saving = true;
    if (uv_queue_work(store->loop, &job->work, on_uv_work, on_uv_work_done) < 0)
        on_uv_work_done(&job->work, UV_ECANCELED);
}

void store_remove(const struct store *store, const struct jar *jar)
{
    char name[NAME_BYTES];
    if (!store_is_open(store) || jar->saving)
        return;
    name_file(jar, name);
    folder_remove(&store->folder, name);
}

/* ---- loading ---- */

/* "1000-work.session": whose it is, and its name. */
static bool read_name(const char *file, uint64_t *ret_user, struct ipc_text *ret_name)
{
    char *rest;
    size_t length = strlen(file), suffix = sizeof SUFFIX - 1;
    if (length <= suffix || length >= NAME_BYTES - 16 || strcmp(file + length - suffix, SUFFIX) != 0
        || *file < '0' || *file > '9')
        return false;
    errno = 0;
    *ret_user = strtoull(file, &rest, 10);
    *ret_name = (struct ipc_text){ rest + 1, (size_t)(file + length - suffix - rest) - 1 };
    return errno == 0 && *rest == '-' && jar_name_is_fine(*ret_name);
}

struct loading {
    const struct store *store;
    struct principals *principals;
    struct ipc_decoder *decoder;
    const struct jar_rules *rules;
    struct jar *jar;
    const char *problem;
};

static void apply(struct loading *loading, const struct ipc_session_write *write)
{
    for (size_t i = 0; i < write->cookies.count; i++)
        jar_put_cookie(loading->jar, &write->cookies.items[i], loading->rules);
    for (size_t i = 0; i < write->hsts.count; i++)
        jar_put_hsts(loading->jar, &write->hsts.items[i], loading->rules);
}

/* What is wrong with a frame, or NULL. */
static const char *take_frame(struct loading *loading, const struct ipc_frame *frame, uint32_t index,
                              uint32_t *count)
{
    union ipc_any message;
    if (frame->type != (index == 0 ? IPC_SESSION_CREATE : IPC_SESSION_WRITE))
        return "it holds something else than a session";
    if (ipc_unpack(loading->decoder, IPC_CLIENT, frame, &message) < 0)
        return loading->decoder->reason;
    if (index == 0)
        *count = frame->id;
    else if (frame->id != index)
        return "its parts are out of order";
    if (index > 0)
        apply(loading, &message.session_write);
    return NULL;
}

static const char *take_content(struct loading *loading, const uint8_t *content, size_t length)
{
    uint32_t index = 0, count = 1;
    size_t at = 0;
    while (at < length) {
        struct ipc_frame frame;
        enum ipc_frame_result result = ipc_frame_read(content + at, length - at, &frame, NULL);
        const char *problem = result == IPC_FRAME_PARTIAL ? "it is cut short"
                              : result != IPC_FRAME_OK    ? "it is no file of this daemon"
                                                          : take_frame(loading, &frame, index, &count);
        if (problem)
            return problem;
        at += frame.whole_length;
        index++;
    }
    return index == count ? NULL : "it is cut short";
}

static void set_aside(const struct store *store, const char *name, const char *problem)
{
    char aside[NAME_BYTES + 16];
    snprintf(aside, sizeof aside, "%s.damaged", name);
    bool moved = folder_rename(&store->folder, name, aside);
    log_error("store: %s/%s: %s; %s%s", store->folder.path, name, problem,
              moved ? "it is now " : "it stays there, ignoring", moved ? aside : "");
}

static void load_file(struct loading *loading, const char *file)
{
    const struct store *store = loading->store;
    struct ipc_text name;
    size_t length = 0;
    uint64_t user, changed_s = 0;
    const char *problem = "its name is none of ours";
    if (!read_name(file, &user, &name)) {
        set_aside(store, file, problem);
        return;
    }
    struct principal *principal = principals_find(loading->principals, user);
    uint8_t *content = principal
        ? folder_read(&store->folder, file, FILE_BYTES, &length, &changed_s, &problem) : NULL;
    loading->jar = content && !jars_find(&principal->jars, name)
        ? jars_create(&principal->jars, name, true, changed_s) : NULL;
    if (loading->jar)
        problem = take_content(loading, content, length);
    ipc_secret_free(content);
    if (problem) {
        if (loading->jar)
            jar_remove(loading->jar);
        set_aside(store, file, problem);
        return;
    }
    loading->jar->dirty = false;
    loading->jar->saved_s = changed_s;
    log_debug("store: %s: %zu cookies", file, loading->jar->cookies.count);
}

static void visit(void *loading, const char *file)
{
    size_t length = strlen(file), suffix = sizeof SUFFIX - 1;
    if (length >= suffix && strcmp(file + length - suffix, SUFFIX) == 0)
        load_file(loading, file);
}

void store_load(const struct store *store, struct principals *principals, struct ipc_decoder *decoder,
                const struct jar_rules *rules)
{
    struct loading loading = { .store = store, .principals = principals, .decoder = decoder, .rules = rules };
    if (store_is_open(store))
        folder_visit(&store->folder, visit, &loading);
}
