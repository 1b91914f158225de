/* supervisor.c: every cell of its table, driven with real processes and real channels, and what the
 * worker's life promises to others. */
#include "stage.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct supervisor *seat;

/* One seat, in a state that was come to by what leads there. */
static void begin_in(enum supervisor_state state)
{
    stage_begin(1, "workers.backoff_min=10m", "workers.backoff_max=1h", NULL);
    seat = stage_seat(1);
    if (state == SUPERVISOR_WAITING)
        return;
    if (state == SUPERVISOR_STOPPED) {
        supervisor_event(seat, SUPERVISOR_STOP, "a test");
        return;
    }
    stage_start();
    if (state != SUPERVISOR_STARTING)
        stage_make_ready(stage_newest());
    if (state == SUPERVISOR_DRAINING)
        supervisor_event(seat, SUPERVISOR_DRAIN, "a test");
    if (state == SUPERVISOR_ABORTING)
        supervisor_event(seat, SUPERVISOR_SILENCE, "a test");
    if (state == SUPERVISOR_DYING)
        supervisor_event(seat, SUPERVISOR_BREACH, "a test");
    assert_int_equal(seat->state, state);
}

static void wait_until_gone(void)
{
    stage_until(seat->exited && seat->hung_up && seat->open_handles == 0);
}

static bool process_lives(void)
{
    return stage.worker_count > 0 && kill(stage_newest()->pid, 0) == 0;
}

/* ---- the table ---- */

#define SAME SUPERVISOR_STATES   /* nothing happens */

/* What each event leads to. EXIT and HANGUP are let happen: the process is killed, the channel closed;
 * GONE comes by itself once both did. Where neither process nor channel is, they can't. */
static const unsigned char expected[SUPERVISOR_STATES][SUPERVISOR_EVENTS] = {
#define S(state) SUPERVISOR_##state
    /*                         SPAWN        HELLO       SILENCE      BREACH    HANGUP    EXIT      GONE       DRAIN        STOP */
    [SUPERVISOR_WAITING]  = { S(STARTING), SAME,       S(STARTING), SAME,     SAME,     SAME,     SAME,      S(STOPPED),  S(STOPPED) },
    [SUPERVISOR_STARTING] = { SAME,        S(READY),   S(ABORTING), S(DYING), S(DYING), S(DYING), SAME,      S(DYING),    S(DYING) },
    [SUPERVISOR_READY]    = { SAME,        S(DYING),   S(ABORTING), S(DYING), S(DYING), S(DYING), SAME,      S(DRAINING), S(DYING) },
    [SUPERVISOR_DRAINING] = { SAME,        S(DYING),   S(ABORTING), S(DYING), S(DYING), S(DYING), SAME,      SAME,        S(DYING) },
    [SUPERVISOR_ABORTING] = { SAME,        SAME,       SAME,        S(DYING), S(DYING), S(DYING), SAME,      SAME,        S(DYING) },
    [SUPERVISOR_DYING]    = { SAME,        SAME,       SAME,        SAME,     SAME,     SAME,     S(WAITING), SAME,       SAME },
    [SUPERVISOR_STOPPED]  = { SAME,        SAME,       SAME,        SAME,     SAME,     SAME,     SAME,      SAME,        SAME },
#undef S
};

static bool has_process(enum supervisor_state state)
{
    return state != SUPERVISOR_WAITING && state != SUPERVISOR_STOPPED;
}

/* Lets it happen where it can; else says it. */
static void let_happen(enum supervisor_state state, enum supervisor_event event)
{
    struct ipc_ready ready = { .pid = 1 };
    bool can = has_process(state) && state != SUPERVISOR_DYING;
    if (event == SUPERVISOR_HANGUP && can) {
        wire_close(&stage_newest()->wire);
        stage_until(seat->hung_up);
    } else if (event == SUPERVISOR_EXIT && can) {
        kill(stage_newest()->pid, SIGKILL);
        stage_until(seat->exited);
    } else if (event == SUPERVISOR_HELLO && can && state != SUPERVISOR_ABORTING) {
        wire_say(&stage_newest()->wire, IPC_READY, 0, &ready);
        stage_turn();
    } else if (event == SUPERVISOR_GONE && state == SUPERVISOR_DYING) {
        wait_until_gone();
    } else {
        supervisor_event(seat, event, "a test");
    }
}

static void visit_cell(enum supervisor_state state, enum supervisor_event event)
{
    begin_in(state);
    unsigned born = stage.worker_count;
    unsigned wanted = expected[state][event] == SAME ? state : expected[state][event];
    let_happen(state, event);
    if (seat->state != wanted)
        fail_msg("%s in %s leads to %s, not to %s", supervisor_event_name(event),
                 supervisor_state_name(state),
                 supervisor_state_name(seat->state), supervisor_state_name(wanted));
    if (wanted == SUPERVISOR_STARTING && state == SUPERVISOR_WAITING)
        assert_int_equal(stage.worker_count, born + 1);
    assert_int_equal(stage.daemon->crew.groups[0].pool.ready, wanted == SUPERVISOR_READY);
    stage_end();
}

static void visit_row(enum supervisor_state state)
{
    for (int event = 0; event < SUPERVISOR_EVENTS; event++)
        visit_cell(state, (enum supervisor_event)event);
}

static void every_event_while_waiting(void **state) { (void)state; visit_row(SUPERVISOR_WAITING); }
static void every_event_while_starting(void **state) { (void)state; visit_row(SUPERVISOR_STARTING); }
static void every_event_while_ready(void **state) { (void)state; visit_row(SUPERVISOR_READY); }
static void every_event_while_draining(void **state) { (void)state; visit_row(SUPERVISOR_DRAINING); }
static void every_event_while_aborting(void **state) { (void)state; visit_row(SUPERVISOR_ABORTING); }
static void every_event_while_dying(void **state) { (void)state; visit_row(SUPERVISOR_DYING); }
static void every_event_while_stopped(void **state) { (void)state; visit_row(SUPERVISOR_STOPPED); }

static void every_state_and_event_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < SUPERVISOR_STATES; i++)
        assert_non_null(supervisor_state_name((enum supervisor_state)i));
    for (int i = 0; i < SUPERVISOR_EVENTS; i++) {
        assert_non_null(supervisor_event_name((enum supervisor_event)i));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(supervisor_event_name((enum supervisor_event)i),
                                    supervisor_event_name((enum supervisor_event)k));
    }
}

/* ---- what the states do ---- */

static void a_new_worker_is_told_its_settings_first(void **state)
{
    (void)state;
    union ipc_any message;
    stage_begin(2, "timeouts.connect=7s", "egress.allow=a b", NULL);
    stage_start();
    for (unsigned i = 0; i < 2; i++) {
        wire_expect(&stage.workers[i].wire, IPC_SETTINGS, 0, &message);
        assert_int_equal(message.settings.worker, i + 1);
        assert_int_equal(message.settings.connect_timeout_ms, 7000);
        assert_int_equal(message.settings.egress_allow.count, 2);
        assert_text_equal(message.settings.build, FETCHD_VERSION);
    }
    stage_end();
}

static void a_ready_worker_has_its_seat_and_one_that_dies_has_not(void **state)
{
    (void)state;
    stage_begin(3, "workers.backoff_min=10m", "workers.backoff_max=1h", NULL);
    stage_start();
    for (unsigned i = 0; i < 3; i++)
        stage_make_ready(&stage.workers[i]);
    assert_int_equal(stage.daemon->crew.groups[0].pool.ready, 3);
    kill(stage.workers[1].pid, SIGKILL);
    stage_until(stage.daemon->crew.groups[0].pool.ready == 2);
    assert_true(stage.daemon->crew.groups[0].pool.seats[0].ready);
    assert_true(stage.daemon->crew.groups[0].pool.seats[2].ready);
    stage_end();
}

static void a_hung_worker_is_sent_sigabrt_and_a_stopped_one_too(void **state)
{
    (void)state;
    for (int stopped = 0; stopped < 2; stopped++) {
        begin_in(SUPERVISOR_READY);
        if (stopped)
            kill(stage_newest()->pid, SIGSTOP);
        supervisor_event(seat, SUPERVISOR_SILENCE, "a test");
        stage_until(seat->exited);
        assert_int_equal(seat->exit_signal, SIGABRT);
        assert_true(seat->hung);
        stage_end();
    }
}

static void a_worker_that_survives_sigabrt_is_killed(void **state)
{
    (void)state;
    begin_in(SUPERVISOR_ABORTING);
    supervisor_event(seat, SUPERVISOR_SILENCE, "a test");   /* the grace is over */
    stage_until(seat->exited);
    assert_true(seat->exit_signal == SIGABRT || seat->exit_signal == SIGKILL);
    assert_true(seat->killed);
    stage_end();
}

static void a_drained_worker_is_told_goaway_with_its_time(void **state)
{
    (void)state;
    union ipc_any message;
    begin_in(SUPERVISOR_DRAINING);
    wire_expect(&stage_newest()->wire, IPC_GOAWAY, 0, &message);
    assert_text_equal(message.goaway.reason, "a test");
    assert_int_equal(message.goaway.drain_ms, 300000);
    assert_true(process_lives());
    stage_end();
}

static void a_worker_told_to_stop_is_killed_and_not_started_again(void **state)
{
    (void)state;
    begin_in(SUPERVISOR_READY);
    supervisor_event(seat, SUPERVISOR_STOP, "a test");
    stage_until(seat->state == SUPERVISOR_STOPPED);
    assert_false(process_lives());
    assert_int_equal(stage.worker_count, 1);
    stage_end();
}

static void one_that_died_young_waits_and_one_that_lived_does_not(void **state)
{
    (void)state;
    begin_in(SUPERVISOR_READY);
    kill(stage_newest()->pid, SIGKILL);
    stage_until(seat->state == SUPERVISOR_WAITING);
    assert_int_equal(seat->backoff_ms, 600000);
    assert_true(uv_is_active((uv_handle_t *)&seat->timer));
    supervisor_event(seat, SUPERVISOR_SPAWN, NULL);
    stage_make_ready(stage_newest());
    seat->started_ms -= 3600000;
    kill(stage_newest()->pid, SIGKILL);
    stage_until(seat->state == SUPERVISOR_STARTING);   /* at once */
    assert_int_equal(stage.worker_count, 3);
    assert_int_equal(seat->restarts, 2);
    stage_end();
}

static void each_early_death_doubles_the_wait_up_to_the_longest(void **state)
{
    (void)state;
    stage_begin(1, "workers.backoff_min=10m", "workers.backoff_max=1h", NULL);
    seat = stage_seat(1);
    stage.daemon->conf->backoff_min_ms = 100000;
    stage.daemon->conf->backoff_max_ms = 500000;
    static const uint64_t waits[] = { 100000, 200000, 400000, 500000, 500000 };
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        supervisor_event(seat, SUPERVISOR_SPAWN, NULL);
        kill(stage_newest()->pid, SIGKILL);
        stage_until(seat->state == SUPERVISOR_WAITING);
        assert_int_equal(seat->backoff_ms, waits[i]);
    }
    stage_end();
}

static void a_program_that_cannot_be_started_is_tried_again_later(void **state)
{
    (void)state;
    stage_begin(1, "workers.backoff_min=10m", "workers.backoff_max=1h", NULL);
    seat = stage_seat(1);
    stage.refuse_spawns = 1;
    stage_start();
    stage_until(seat->state == SUPERVISOR_WAITING);
    assert_int_equal(stage.worker_count, 0);
    assert_true(uv_is_active((uv_handle_t *)&seat->timer));
    supervisor_event(seat, SUPERVISOR_SPAWN, NULL);
    stage_make_ready(stage_newest());
    assert_int_equal(seat->state, SUPERVISOR_READY);
    stage_end();
}

/* Its process handle still closes when the daemon stops: freed memory under it would be the end. */
static void a_daemon_that_stops_while_a_start_fails_closes_in_order(void **state)
{
    (void)state;
    stage_begin(2, NULL);
    stage.refuse_spawns = 2;
    stage_start();
    assert_int_equal(stage_seat(1)->state, SUPERVISOR_DYING);
    crew_retire(&stage.daemon->crew, false);
    stage_end();
}

/* ---- what it hears ---- */

static void breaches(const char *what, void (*say)(struct wire *wire))
{
    begin_in(SUPERVISOR_READY);
    say(&stage_newest()->wire);
    stage_until(seat->exited);
    if (!seat->breached || seat->exit_signal != SIGKILL)
        fail_msg("%s was let pass", what);
    stage_end();
}

static void say_ready(struct wire *wire) { wire_say(wire, IPC_READY, 0, &(struct ipc_ready){ .pid = 1 }); }
static void say_unknown_done(struct wire *wire) { wire_say(wire, IPC_DONE, 1,
                                                           &(struct ipc_done){ .status = 200 }); }
static void say_done_for_0(struct wire *wire) { wire_say(wire, IPC_DONE, 0,
                                                         &(struct ipc_done){ .status = 200 }); }
static void say_unknown_data(struct wire *wire) { wire_say_data(wire, 7, "x", 1); }
static void say_unknown_credit(struct wire *wire) { wire_say_credit(wire, 3, 5); }
static void say_beat_for_1(struct wire *wire) { wire_say(wire, IPC_BEAT, 1,
                                                         &(struct ipc_beat){ .rss_bytes = 1 }); }
static void say_fetch(struct wire *wire) { wire_say(wire, IPC_FETCH, 1,
                                                    &(struct ipc_fetch){ .url = IPC_TEXT("x") }); }
static void say_settings(struct wire *wire) { wire_say(wire, IPC_SETTINGS, 0,
                                                       &(struct ipc_settings){ .worker = 1 }); }
static void say_status(struct wire *wire) { wire_say(wire, IPC_STATUS, 1, NULL); }
static void say_garbage(struct wire *wire) { wire_say_bytes(wire, "\0\0\0\x04what", 8); }
static void say_oversize(struct wire *wire) { wire_say_bytes(wire, "\xff\xff\xff\xff", 4); }
static void say_number_99(struct wire *wire) { wire_say_bytes(wire, "\0\0\0\x04\x93\x63\x00\x80", 8); }
static void say_started_above(struct wire *wire) { wire_say(wire, IPC_STARTED, 0,
                                                            &(struct ipc_started){ .last_id = 1 }); }

static void say_too_much_credit(struct wire *wire)
{
    for (int i = 0; i < 3; i++)
        wire_say_credit(wire, 0, 1 << 30);
}

static void what_a_worker_may_not_say_ends_it(void **state)
{
    (void)state;
    breaches("READY twice", say_ready);
    breaches("DONE for an id it was never given", say_unknown_done);
    breaches("DONE for the connection", say_done_for_0);
    breaches("DATA for an id it was never given", say_unknown_data);
    breaches("CREDIT for an id it was never given", say_unknown_credit);
    breaches("BEAT for a request", say_beat_for_1);
    breaches("FETCH", say_fetch);
    breaches("SETTINGS", say_settings);
    breaches("STATUS", say_status);
    breaches("garbage", say_garbage);
    breaches("an oversize frame", say_oversize);
    breaches("an unknown message", say_number_99);
    breaches("STARTED above what it was given", say_started_above);
    breaches("more credit than a connection can have", say_too_much_credit);
}

static void a_ping_is_answered_and_a_beat_is_kept(void **state)
{
    (void)state;
    struct ipc_ping ping = { .token = 77 };
    struct ipc_beat beat = { .rss_bytes = 1000, .open_fds = 5, .close_wait = 2 };
    union ipc_any message;
    begin_in(SUPERVISOR_READY);
    struct wire *wire = &stage_newest()->wire;
    wire_say(wire, IPC_PING, 0, &ping);
    wire_expect(wire, IPC_PONG, 0, &message);
    assert_int_equal(message.pong.token, 77);
    wire_say(wire, IPC_BEAT, 0, &beat);
    wire_expect_nothing(wire);
    assert_int_equal(seat->beat.rss_bytes, 1000);
    assert_int_equal(seat->beat.close_wait, 2);
    stage_end();
}

static void any_frame_is_a_sign_of_life(void **state)
{
    (void)state;
    begin_in(SUPERVISOR_READY);
    seat->heard_ms -= 5000;
    uint64_t before_ms = seat->heard_ms;
    wire_say(&stage_newest()->wire, IPC_PONG, 0, NULL);
    stage_until(seat->heard_ms != before_ms);
    assert_int_equal(seat->state, SUPERVISOR_READY);
    stage_end();
}

/* ---- successors ---- */

static void a_successor_takes_the_seat_when_ready_and_the_old_one_drains(void **state)
{
    (void)state;
    begin_in(SUPERVISOR_READY);
    struct supervisor *old = seat;
    crew_renew(&stage.daemon->crew, old, CREW_RECYCLED, "a test");
    assert_int_equal(stage.worker_count, 2);
    assert_ptr_equal(stage_seat(1), old);   /* until the new one is ready */
    crew_renew(&stage.daemon->crew, old, CREW_RECYCLED, "again");
    assert_int_equal(stage.worker_count, 2);
    stage_make_ready(stage_newest());
    assert_ptr_not_equal(stage_seat(1), old);
    assert_int_equal(stage_seat(1)->state, SUPERVISOR_READY);
    assert_int_equal(stage.daemon->crew.groups[0].pool.ready, 1);
    wire_expect(&stage.workers[0].wire, IPC_GOAWAY, 0, NULL);
    wire_close(&stage.workers[0].wire);
    kill(stage.workers[0].pid, SIGKILL);
    stage_until(!stage.daemon->crew.others);
    assert_int_equal(stage.daemon->crew.restarts[CREW_RECYCLED], 1);
    stage_end();
}

static void a_successor_that_dies_leaves_the_old_one_in_its_seat(void **state)
{
    (void)state;
    begin_in(SUPERVISOR_READY);
    crew_renew(&stage.daemon->crew, seat, CREW_RECYCLED, "a test");
    kill(stage_newest()->pid, SIGKILL);
    stage_until(!stage.daemon->crew.others);
    assert_ptr_equal(stage_seat(1), seat);
    assert_int_equal(seat->state, SUPERVISOR_READY);
    assert_int_equal(stage.worker_count, 2);
    stage_end();
}

static void a_reload_renews_one_after_the_other(void **state)
{
    (void)state;
    stage_begin(3, "workers.backoff_min=10m", "workers.backoff_max=1h", NULL);
    stage_start();
    for (unsigned i = 0; i < 3; i++)
        stage_make_ready(&stage.workers[i]);
    crew_roll(&stage.daemon->crew);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(stage.worker_count, 4 + i);
        assert_int_equal(stage.daemon->crew.groups[0].pool.ready, 3);   /* never fewer */
        stage_make_ready(&stage.workers[3 + i]);
    }
    assert_int_equal(stage.worker_count, 6);
    assert_int_equal(stage.daemon->crew.restarts[CREW_RELOADED], 3);
    stage_end();
}

UV_TESTS(TEST(every_event_while_waiting), TEST(every_event_while_starting), TEST(every_event_while_ready),
         TEST(every_event_while_draining), TEST(every_event_while_aborting), TEST(every_event_while_dying),
         TEST(every_event_while_stopped), TEST(every_state_and_event_has_a_name_of_its_own),
         TEST(a_new_worker_is_told_its_settings_first),
         TEST(a_ready_worker_has_its_seat_and_one_that_dies_has_not),
         TEST(a_hung_worker_is_sent_sigabrt_and_a_stopped_one_too),
         TEST(a_worker_that_survives_sigabrt_is_killed),
         TEST(a_drained_worker_is_told_goaway_with_its_time),
         TEST(a_worker_told_to_stop_is_killed_and_not_started_again),
         TEST(one_that_died_young_waits_and_one_that_lived_does_not),
         TEST(each_early_death_doubles_the_wait_up_to_the_longest),
         TEST(a_program_that_cannot_be_started_is_tried_again_later),
         TEST(a_daemon_that_stops_while_a_start_fails_closes_in_order),
         TEST(what_a_worker_may_not_say_ends_it),
         TEST(a_ping_is_answered_and_a_beat_is_kept), TEST(any_frame_is_a_sign_of_life),
         TEST(a_successor_takes_the_seat_when_ready_and_the_old_one_drains),
         TEST(a_successor_that_dies_leaves_the_old_one_in_its_seat),
         TEST(a_reload_renews_one_after_the_other))
