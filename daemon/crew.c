/* The workers as a whole. */
#include "crew.h"

#include "daemon.h"
#include "descriptors.h"
#include "log.h"
#include "origin.h"
#include "request.h"
#include "supervisor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define GIVEN_UP_MS 2000
#define IDLE_MS (5 * 60 * 1000)

static const char *const reason_names[CREW_REASONS] = {
    [CREW_CRASHED] = "crashed", [CREW_KILLED] = "killed", [CREW_HUNG] = "hung", [CREW_BREACHED] = "breached",
    [CREW_EXITED] = "exited", [CREW_RECYCLED] = "recycled", [CREW_RELOADED] = "reloaded",
};

const char *crew_reason_name(enum crew_reason reason) { return reason_names[reason]; }

static bool has_seat(const struct crew *crew, const struct supervisor *supervisor)
{
    return supervisor->seat != CREW_NO_SEAT && crew->seats[supervisor->seat] == supervisor;
}

/* ---- groups ---- */

static struct crew_group *group_of(struct crew *crew, uint32_t seat)
{
    unsigned i = 0;
    while (seat >= crew->groups[i].first + crew->groups[i].size)
        i++;
    return &crew->groups[i];
}

unsigned crew_group(const struct crew *crew, const char *class)
{
    for (unsigned i = 1; i < crew->group_count; i++)
        if (strcmp(crew->groups[i].class, class) == 0)
            return i;
    return 0;
}

const char *crew_class(const struct crew *crew, const struct supervisor *supervisor)
{
    for (unsigned i = 0; i < crew->group_count; i++)
        if (supervisor->seat >= crew->groups[i].first && supervisor->seat - crew->groups[i].first < crew->groups[i].size)
            return crew->groups[i].class;
    return NULL;
}

unsigned crew_ready(const struct crew *crew)
{
    unsigned ready = 0;
    for (unsigned i = 0; i < crew->group_count; i++)
        ready += crew->groups[i].pool.ready;
    return ready;
}

static void set_ready(struct crew *crew, uint32_t seat, bool ready)
{
    struct crew_group *group = group_of(crew, seat);
    pool_set_ready(&group->pool, seat - group->first, ready);
}

void crew_add_load(struct crew *crew, uint32_t seat)
{
    if (seat == CREW_NO_SEAT)
        return;
    struct crew_group *group = group_of(crew, seat);
    pool_add(&group->pool, seat - group->first);
}

void crew_remove_load(struct crew *crew, uint32_t seat)
{
    if (seat == CREW_NO_SEAT)
        return;
    struct crew_group *group = group_of(crew, seat);
    pool_remove(&group->pool, seat - group->first);
}

/* ---- choice ---- */

struct choice { const struct crew *crew; unsigned first; };

static bool has_room(const void *context, unsigned worker)
{
    const struct choice *choice = context;
    return supervisor_has_room(choice->crew->seats[choice->first + worker]);
}

/* Those of as many deaths run together, at first many, so that hundreds of slow innocent ones are soon
 * done; with each further death fewer, at last one alone. */
static bool takes_suspect(const struct supervisor *supervisor, const struct request *request)
{
    static const unsigned together[] = { 64, 8, 1 };
    const struct request *other = supervisor->requests;
    unsigned step = request->deaths - REQUEST_SUSPECT_DEATHS;
    unsigned most = step < sizeof together / sizeof together[0] && !request->solo ? together[step] : 1;
    return supervisor->state == SUPERVISOR_READY
        && (!other || (other->deaths == request->deaths && other->group == request->group && !other->solo
                       && HASH_CNT(worker_handle, supervisor->requests) < most));
}

/* Workers outside the pool are started when the first request for one comes: most daemons never need one. */
static void start_other(struct crew *crew, struct supervisor **place, unsigned number, const char *what)
{
    *place = supervisor_create(crew->daemon, CREW_NO_SEAT, number);
    if (!*place)
        return;
    DL_APPEND(crew->others, *place);
    log_notice("worker %u: starts as a %s worker", number, what);
    supervisor_event(*place, SUPERVISOR_SPAWN, NULL);
}

static struct supervisor *choose_quarantine(struct crew *crew, const struct request *request)
{
    for (unsigned i = 0; i < CREW_QUARANTINE; i++) {
        if (!crew->quarantine[i]) {
            start_other(crew, &crew->quarantine[i], crew->size + 1 + i, "quarantine");
            return NULL;
        }
        if (takes_suspect(crew->quarantine[i], request))
            return crew->quarantine[i];
    }
    return NULL;
}

/* Outside the pool there is no seat to keep warm: who comes next starts another. */
static void dismiss(struct supervisor **place, const char *why)
{
    struct supervisor *supervisor = *place;
    if (!supervisor)
        return;
    *place = NULL;
    supervisor->stays_down = true;
    supervisor_event(supervisor, SUPERVISOR_DRAIN, why);
}

static bool has_worked(const struct supervisor *supervisor)
{
    return supervisor->last_origin[0] != '\0';
}

/* One that has been to the same origin before may have its connection open; one that worked for another group
 * has to go first. One that is starting comes soon. */
static struct supervisor *choose_solo(struct crew *crew, const struct request *request)
{
    struct supervisor *idle = NULL, **empty = NULL, **foreign = NULL;
    bool starting = false;
    for (unsigned i = 0; i < CREW_SOLO && i < crew->daemon->conf->ftp_workers; i++) {
        struct supervisor *solo = crew->solo[i];
        if (!solo)
            empty = empty ? empty : &crew->solo[i];
        else if (solo->state != SUPERVISOR_READY)
            starting = true;
        else if (!solo->requests && has_worked(solo) && solo->last_group != request->group)
            foreign = &crew->solo[i];
        else if (!solo->requests && (!idle || strcmp(solo->last_origin, request->origin->key) == 0))
            idle = solo;
    }
    if (idle || starting)
        return idle;
    if (!empty && foreign) {
        dismiss(foreign, "it worked for users of another class");
        empty = foreign;
    }
    if (empty)
        start_other(crew, empty, crew->size + 1 + CREW_QUARANTINE + (unsigned)(empty - crew->solo), "solo");
    return NULL;
}

struct supervisor *crew_choose(struct crew *crew, const struct request *request)
{
    if (request->deaths >= REQUEST_SUSPECT_DEATHS)
        return choose_quarantine(crew, request);
    if (request->solo)
        return choose_solo(crew, request);
    const struct crew_group *group = &crew->groups[request->group];
    struct choice choice = { crew, group->first };
    int worker = pool_place(&group->pool, request->origin->key, has_room, &choice);
    return worker < 0 ? NULL : crew->seats[group->first + (unsigned)worker];
}

/* ---- renewal ---- */

static struct supervisor *successor_of(struct crew *crew, const struct supervisor *supervisor)
{
    struct supervisor *other;
    DL_FOREACH(crew->others, other)
        if (other->predecessor == supervisor)
            return other;
    return NULL;
}

void crew_renew(struct crew *crew, struct supervisor *supervisor, enum crew_reason reason, const char *why)
{
    if (crew->closing || !has_seat(crew, supervisor) || successor_of(crew, supervisor))
        return;
    struct supervisor *successor = supervisor_create(crew->daemon, supervisor->seat, supervisor->number);
    if (!successor)
        return;
    log_info("worker %u: pid %u is to be replaced: %s", supervisor->number, supervisor->pid, why);
    successor->predecessor = supervisor;
    successor->renewal = reason;
    successor->stays_down = true;   /* until it is ready: then the seat is its own */
    successor->restarts = supervisor->restarts + 1;
    DL_APPEND(crew->others, successor);
    supervisor_event(successor, SUPERVISOR_SPAWN, NULL);
}

static bool renews(const struct crew *crew)
{
    const struct supervisor *other;
    DL_FOREACH(crew->others, other)
        if (other->predecessor)
            return true;
    return false;
}

static void roll_on(struct crew *crew)
{
    while (!crew->closing && crew->roll_next < crew->size && !renews(crew)) {
        struct supervisor *supervisor = crew->seats[crew->roll_next++];
        if (supervisor->state == SUPERVISOR_READY) {
            crew_renew(crew, supervisor, CREW_RELOADED, "a reload brings new settings");
            return;
        }
        /* One that is down takes the new settings when it starts; one that starts just now may have
         * the old ones, and is stopped. */
        if (supervisor->state == SUPERVISOR_STARTING)
            supervisor_breach(supervisor, "it started with old settings");
    }
}

void crew_roll(struct crew *crew)
{
    for (unsigned i = 0; i < CREW_QUARANTINE; i++)
        dismiss(&crew->quarantine[i], "a reload brings new settings");
    for (unsigned i = 0; i < CREW_SOLO; i++)
        dismiss(&crew->solo[i], "a reload brings new settings");
    crew->roll_next = 0;
    roll_on(crew);
}

/* ---- recycling ---- */

static uint64_t descriptor_limit(const struct conf *conf)
{
    return conf->max_descriptors > 0 ? conf->max_descriptors : descriptors_allowed_worker() / 10 * 9;
}

struct measure { const char *name; uint64_t value, limit; };

static void recycle(struct crew *crew, struct supervisor *supervisor)
{
    const struct conf *conf = crew->daemon->conf;
    const struct ipc_beat *beat = &supervisor->beat;
    const struct measure measures[] = {
        { "requests", supervisor->served_here, conf->max_requests },
        { "ms of age", uv_now(&crew->daemon->loop) - supervisor->started_ms, conf->max_age_ms },
        { "resident bytes", beat->rss_bytes, conf->max_rss_bytes },
        { "descriptors", beat->open_fds, descriptor_limit(conf) },
        { "sockets in CLOSE_WAIT", beat->close_wait, conf->max_close_wait },
    };
    for (size_t i = 0; i < sizeof measures / sizeof measures[0]; i++) {
        if (measures[i].limit == 0 || measures[i].value <= measures[i].limit)
            continue;
        char why[96];
        snprintf(why, sizeof why, "%llu %s are above the limit of %llu", (unsigned long long)measures[i].value,
                 measures[i].name, (unsigned long long)measures[i].limit);
        crew_renew(crew, supervisor, CREW_RECYCLED, why);
        return;
    }
}

/* A solo worker that nobody needed for a while, or whose request was given up while libcurl waits, goes. */
static void check_solo(struct crew *crew)
{
    uint64_t now_ms = uv_now(&crew->daemon->loop);
    for (unsigned i = 0; i < CREW_SOLO; i++) {
        struct supervisor *solo = crew->solo[i];
        if (!solo || solo->state != SUPERVISOR_READY)
            continue;
        const struct request *request = solo->requests;
        if (request && request->state != REQUEST_ABANDONED)
            solo->busy_ms = now_ms;
        else if (request && now_ms - solo->busy_ms >= GIVEN_UP_MS)
            supervisor_event(solo, SUPERVISOR_STOP, "its request was given up, and libcurl still waits");
        else if (!request && now_ms - solo->busy_ms >= IDLE_MS)
            dismiss(&crew->solo[i], "nobody needs it");
    }
}

/* One at a time, so that the others carry on. */
void crew_check(struct crew *crew)
{
    check_solo(crew);
    for (unsigned i = 0; i < crew->size && !renews(crew); i++)
        if (crew->seats[i]->state == SUPERVISOR_READY)
            recycle(crew, crew->seats[i]);
}

void crew_judge(struct crew *crew)
{
    const struct health **all = calloc(crew->size, sizeof *all);
    if (!all)
        return;
    for (unsigned i = 0; i < crew->size; i++)
        all[i] = &crew->seats[i]->health;
    for (unsigned i = 0; i < crew->size; i++)
        if (crew->seats[i]->state == SUPERVISOR_READY && health_stands_out(all, crew->size, i))
            crew_renew(crew, crew->seats[i], CREW_RECYCLED, "its TLS handshakes fail more than its siblings'");
    for (unsigned i = 0; i < crew->size; i++)
        health_fade(&crew->seats[i]->health);
    free(all);
}

/* Its requests no longer weigh on the seat. */
static void unseat(struct crew *crew, struct supervisor *supervisor)
{
    for (struct request *request = supervisor->requests; request; request = request->worker_handle.next)
        crew_remove_load(crew, supervisor->seat);
    supervisor->seat = CREW_NO_SEAT;
    DL_APPEND(crew->others, supervisor);
}

static void take_over(struct crew *crew, struct supervisor *successor)
{
    struct supervisor *old = successor->predecessor;
    successor->predecessor = NULL;
    successor->stays_down = false;
    crew->restarts[successor->renewal]++;
    DL_DELETE(crew->others, successor);
    set_ready(crew, successor->seat, false);
    unseat(crew, old);
    crew->seats[successor->seat] = successor;
    old->stays_down = true;
    supervisor_event(old, SUPERVISOR_DRAIN, "a new worker took its place");
}

void crew_worker_ready(struct crew *crew, struct supervisor *supervisor)
{
    if (supervisor->predecessor)
        take_over(crew, supervisor);
    if (has_seat(crew, supervisor))
        set_ready(crew, supervisor->seat, true);
    roll_on(crew);
    daemon_run_queue(crew->daemon);
}

void crew_worker_unready(struct crew *crew, struct supervisor *supervisor)
{
    if (has_seat(crew, supervisor))
        set_ready(crew, supervisor->seat, false);
    daemon_wake_queue(crew->daemon);   /* the others' bound is higher now */
}

/* ---- the end of one ---- */

void crew_worker_stopped(struct crew *crew, struct supervisor *supervisor)
{
    if (supervisor->predecessor && !crew->closing)
        log_error("worker %u: its replacement did not start, keeping pid %u", supervisor->number,
                  supervisor->predecessor->pid);
    bool seated = has_seat(crew, supervisor);
    if (!seated) {
        for (unsigned i = 0; i < CREW_QUARANTINE; i++)
            if (crew->quarantine[i] == supervisor)
                crew->quarantine[i] = NULL;
        for (unsigned i = 0; i < CREW_SOLO; i++)
            if (crew->solo[i] == supervisor)
                crew->solo[i] = NULL;
        DL_DELETE(crew->others, supervisor);
        supervisor_destroy(supervisor);
    }
    if (crew->closing && crew_is_down(crew))
        daemon_crew_is_down(crew->daemon);
    else
        roll_on(crew);
}

/* ---- start and end of all ---- */

static int add_group(struct crew *crew, const char *class, unsigned size)
{
    struct crew_group *group = &crew->groups[crew->group_count];
    if (crew->group_count == CREW_GROUPS || pool_init(&group->pool, size) < 0)
        return -1;
    crew->group_count++;
    group->first = crew->size;
    group->size = size;
    crew->size += size;
    group->class = class ? strdup(class) : NULL;
    return class && !group->class ? -1 : 0;
}

static int add_classes(struct crew *crew, const struct conf_set *classes)
{
    for (size_t i = 0; i < classes->count; i++) {
        const struct conf_class *class = classes->records[i];
        if (class->workers > 0 && add_group(crew, class->name, (unsigned)class->workers) < 0)
            return -1;
    }
    return 0;
}

int crew_start(struct crew *crew, struct daemon *daemon, unsigned size)
{
    *crew = (struct crew){ .daemon = daemon };
    if (add_group(crew, NULL, size) < 0 || add_classes(crew, &daemon->conf->classes) < 0)
        return -1;
    size = crew->roll_next = crew->size;
    crew->seats = calloc(size, sizeof(struct supervisor *));
    if (!crew->seats)
        return -1;
    for (unsigned i = 0; i < size; i++) {
        crew->seats[i] = supervisor_create(daemon, i, i + 1);
        if (!crew->seats[i])
            return -1;
    }
    for (unsigned i = 0; i < size; i++)
        supervisor_event(crew->seats[i], SUPERVISOR_SPAWN, NULL);
    return 0;
}

void crew_visit(struct crew *crew, void (*visit)(struct supervisor *supervisor, void *context), void *context)
{
    struct supervisor *other, *next;
    for (unsigned i = 0; i < crew->size; i++)
        visit(crew->seats[i], context);
    DL_FOREACH_SAFE(crew->others, other, next)
        visit(other, context);
}

bool crew_has_process(const struct crew *crew, uint32_t pid)
{
    const struct supervisor *other;
    for (unsigned i = 0; i < crew->size; i++)
        if (crew->seats[i]->pid == pid && !crew->seats[i]->exited)
            return true;
    DL_FOREACH(crew->others, other)
        if (other->pid == pid && !other->exited)
            return true;
    return false;
}

static void retire(struct supervisor *supervisor, void *context)
{
    const bool *now = context;
    supervisor->stays_down = true;
    supervisor_event(supervisor, *now ? SUPERVISOR_STOP : SUPERVISOR_DRAIN, "the daemon stops");
}

void crew_retire(struct crew *crew, bool now)
{
    crew->closing = true;
    crew_visit(crew, retire, &now);
}

bool crew_is_down(const struct crew *crew)
{
    for (unsigned i = 0; i < crew->size; i++)
        if (crew->seats[i]->state != SUPERVISOR_STOPPED)
            return false;
    return !crew->others;
}

void crew_finish(struct crew *crew)
{
    for (unsigned i = 0; i < crew->group_count; i++) {
        pool_finish(&crew->groups[i].pool);
        free(crew->groups[i].class);
    }
    crew->group_count = 0;
    free(crew->seats);
    crew->seats = NULL;
}
