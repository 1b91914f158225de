/* What a client asks of its user's jars. */
#include "jar_control.h"

#include "daemon.h"
#include "log.h"
#include "principal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PAGE_COOKIES 500                       /* of one SESSION_STATE, as in messages.def, and */
#define PAGE_BYTES ((size_t)512 * 1024)        /* so many bytes of them */
#define HOSTS 1000
#define JARS 2000
#define EXPIRE_TICKS 60
#define TOUCH_S 3600                           /* so old may the file of a used session be */

/* ---- answers ---- */

static void reply(struct session *session, uint32_t id, const struct ipc_session_reply *done)
{
    session_send(session, IPC_SESSION_REPLY, id, done);
}

static void refuse(struct session *session, uint32_t id, enum ipc_error_code code, const char *message)
{
    struct ipc_failure failure;
    struct ipc_session_reply refused = { .error = &failure };
    memset(&failure, 0, sizeof failure);
    failure.name = ipc_text(ipc_error_name(code));
    failure.message = ipc_text(message ? message : ipc_error_text(code));
    reply(session, id, &refused);
}

/* The jar of that name, used just now; NULL when there is none, which the client has been told. */
static struct jar *find(struct session *session, uint32_t id, struct ipc_text name)
{
    struct jar *jar = jars_find(&session->principal->jars, name);
    if (jar)
        jar->used_s = (uint64_t)time(NULL);
    else
        refuse(session, id, IPC_ERROR_SESSION_UNKNOWN, NULL);
    return jar;
}

/* ---- create, destroy, list ---- */

/* Not a secret: only its own user can use it. */
static struct ipc_text make_name(struct session *session, char ret_name[JAR_NAME_BYTES])
{
    do {
        snprintf(ret_name, JAR_NAME_BYTES, "s-%08" PRIx32 "%08" PRIx32, daemon_random(session->daemon),
                 daemon_random(session->daemon));
    } while (jars_find(&session->principal->jars, ipc_text(ret_name)));
    return ipc_text(ret_name);
}

static void create_new(struct session *session, uint32_t id, struct ipc_text name,
                       const struct ipc_session_create *create)
{
    struct jar *jar = jars_create(&session->principal->jars, name, create->persistent, (uint64_t)time(NULL));
    struct ipc_session_reply created = { .name = name };
    if (!jar) {
        refuse(session, id, IPC_ERROR_OUT_OF_MEMORY, NULL);
        return;
    }
    if (create->bound) {
        jar->bound = session->number;
        session->binds = true;
    }
    log_debug("session %u: created the session %s", session->number, jar->name);
    reply(session, id, &created);
}

void jar_control_create(struct session *session, uint32_t id, const struct ipc_session_create *create)
{
    struct jars *jars = &session->principal->jars;
    char made[JAR_NAME_BYTES];
    struct ipc_text name = create->name.length > 0 ? create->name : make_name(session, made);
    bool exists = jars_find(jars, name) != NULL;
    if (!jar_name_is_fine(name))
        refuse(session, id, IPC_ERROR_REQUEST_INVALID,
               "a session's name has letters, digits, '.', '_' and '-', at most 64, and no '.' first");
    else if (exists && create->may_exist)
        reply(session, id, &(struct ipc_session_reply){ .name = name });
    else if (exists)
        refuse(session, id, IPC_ERROR_SESSION_EXISTS, NULL);
    else if (jars_count(jars) >= session->daemon->conf->session_count)
        refuse(session, id, IPC_ERROR_QUOTA_EXCEEDED, "this user has too many sessions ([sessions] count)");
    else if (create->persistent && create->bound)
        refuse(session, id, IPC_ERROR_REQUEST_INVALID,
               "a session is either persistent or ends with its connection");
    else if (create->persistent && !store_is_open(&session->daemon->store))
        refuse(session, id, IPC_ERROR_REQUEST_UNSUPPORTED,
               "this daemon has no folder for persistent sessions ([daemon] state_dir)");
    else
        create_new(session, id, name, create);
}

static void forget(struct daemon *daemon, struct jar *jar)
{
    if (jar->persistent)
        store_remove(&daemon->store, jar);
    jar_remove(jar);
}

void jar_control_unbind(struct session *session)
{
    for (struct jar *jar = session->principal->jars.by_name, *next; jar; jar = next) {
        next = jar->handle.next;
        if (jar->bound == session->number)
            forget(session->daemon, jar);
    }
}

void jar_control_destroy(struct session *session, uint32_t id, const struct ipc_session_destroy *destroy)
{
    struct jar *jar = find(session, id, destroy->name);
    if (!jar)
        return;
    forget(session->daemon, jar);
    reply(session, id, &(struct ipc_session_reply){ .name = destroy->name });
}

void jar_control_list(struct session *session, uint32_t id)
{
    struct ipc_session records[JARS];
    struct ipc_session_list_reply list;
    uint64_t now_s = (uint64_t)time(NULL);
    size_t count = 0;
    for (struct jar *jar = session->principal->jars.by_name; jar && count < JARS; jar = jar->handle.next) {
        cookies_expire(&jar->cookies, now_s);
        hsts_expire(&jar->hsts, now_s);
        records[count++] = (struct ipc_session){
            .name = ipc_text(jar->name), .persistent = jar->persistent, .cookies = jar->cookies.count,
            .hsts_hosts = hsts_count(&jar->hsts), .requests = jar->requests,
            .idle_ms = jar->requests || jar->used_s > now_s ? 0 : (now_s - jar->used_s) * 1000,
        };
    }
    IPC_INIT(SESSION_LIST_REPLY, &list);
    list.sessions.items = records;
    list.sessions.count = count;
    session_send(session, IPC_SESSION_LIST_REPLY, id, &list);
}

/* ---- read, write ---- */

/* One answer's worth of cookies. */
static size_t read_page(const struct jar *jar, uint64_t from, const struct cookie_place *place,
                        uint64_t now_s, struct ipc_cookie *ret_records, uint64_t *ret_next)
{
    const struct cookie *cookie = cookies_from(&jar->cookies, from, now_s);
    size_t count = 0, bytes = 0;
    for (; cookie && count < PAGE_COOKIES && bytes < PAGE_BYTES; cookie = cookies_after(cookie, now_s)) {
        if (place && !cookie_is_for(cookie, place))
            continue;
        ret_records[count++] = cookie_record(cookie);
        bytes += cookie->bytes + COOKIE_HOST_BYTES;
    }
    *ret_next = cookie ? cookie->number : 0;
    return count;
}

static size_t read_hosts(const struct jar *jar, uint64_t now_s, struct ipc_hsts *ret_records)
{
    size_t count = 0;
    for (const struct hsts_host *host = jar->hsts.by_name; host && count < HOSTS; host = host->handle.next)
        if (host->expires_s > now_s)
            ret_records[count++] = hsts_record(host);
    return count;
}

void jar_control_read(struct session *session, uint32_t id, const struct ipc_session_read *read)
{
    struct ipc_cookie cookies[PAGE_COOKIES];
    struct ipc_hsts hosts[HOSTS];
    struct ipc_session_state state;
    struct cookie_place place;
    uint64_t now_s = (uint64_t)time(NULL);
    bool of_url = read->url.length > 0;
    const struct jar *jar = find(session, id, read->name);
    if (!jar)
        return;
    if (of_url && cookie_place_of(read->url, &place) < 0) {
        refuse(session, id, IPC_ERROR_REQUEST_INVALID, "the URL is none of http, https, ws or wss");
        return;
    }
    IPC_INIT(SESSION_STATE, &state);
    state.cookies.items = cookies;
    state.cookies.count = read_page(jar, read->from, of_url ? &place : NULL, now_s, cookies, &state.next);
    state.hsts.items = hosts;
    state.hsts.count = read->from == 0 && !of_url ? read_hosts(jar, now_s, hosts) : 0;
    session_send(session, IPC_SESSION_STATE, id, &state);
}

void jar_control_write(struct session *session, uint32_t id, const struct ipc_session_write *write)
{
    struct jar_rules rules = daemon_jar_rules(session->daemon);
    struct jar *jar = find(session, id, write->name);
    struct ipc_session_reply written = { .name = write->name };
    if (!jar)
        return;
    if (write->clear) {
        cookies_clear(&jar->cookies);
        hsts_clear(&jar->hsts);
        jar->dirty = true;
    }
    for (size_t i = 0; i < write->cookies.count; i++)
        written.taken += jar_put_cookie(jar, &write->cookies.items[i], &rules);
    for (size_t i = 0; i < write->hsts.count; i++)
        written.taken += jar_put_hsts(jar, &write->hsts.items[i], &rules);
    written.refused = write->cookies.count + write->hsts.count - written.taken;
    reply(session, id, &written);
}

/* ---- time ---- */

static bool is_forgotten(const struct daemon *daemon, const struct jar *jar, uint64_t now_s)
{
    const struct conf *conf = daemon->conf;
    uint64_t most_ms = jar->persistent ? conf->session_persistent_idle_ms : conf->session_idle_ms;
    return jar->requests == 0 && now_s > jar->used_s && now_s - jar->used_s > most_ms / 1000;
}

static void sweep_jar(struct daemon *daemon, struct jar *jar, uint64_t now_s)
{
    if (is_forgotten(daemon, jar, now_s)) {
        log_info("session %s of user %" PRIu64 ": unused for too long, forgotten", jar->name,
                 jar->jars->user);
        forget(daemon, jar);
        return;
    }
    if (daemon->ticks % EXPIRE_TICKS == 0) {
        cookies_expire(&jar->cookies, now_s);
        hsts_expire(&jar->hsts, now_s);
    }
    /* The file's time tells, after a restart, when the session was used last. */
    if (jar->persistent && (jar->dirty || jar->used_s > jar->saved_s + TOUCH_S))
        store_save(&daemon->store, jar, now_s);
}

void jar_control_sweep(struct daemon *daemon)
{
    uint64_t now_s = (uint64_t)time(NULL);
    for (struct principal *principal = daemon->principals.first; principal; principal = principal->next)
        for (struct jar *jar = principal->jars.by_name, *next; jar; jar = next) {
            next = jar->handle.next;
            sweep_jar(daemon, jar, now_s);
        }
}

void jar_control_save_all(struct daemon *daemon)
{
    uint64_t now_s = (uint64_t)time(NULL);
    for (struct principal *principal = daemon->principals.first; principal; principal = principal->next)
        for (struct jar *jar = principal->jars.by_name; jar; jar = jar->handle.next)
            if (jar->persistent && (jar->dirty || jar->used_s > jar->saved_s)
                && store_is_open(&daemon->store))
                store_save_now(&daemon->store, jar, now_s);
}
