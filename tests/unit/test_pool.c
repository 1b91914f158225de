/* pool.c: consistent hashing with bounded loads. */
#include "daemon/pool.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct pool pool;

static void begin(unsigned workers)
{
    assert_int_equal(pool_init(&pool, workers), 0);
    for (unsigned i = 0; i < workers; i++)
        pool_set_ready(&pool, i, true);
}

static const char *origin(unsigned i)
{
    static char name[64];
    snprintf(name, sizeof name, "https://host%u.example:443", i);
    return name;
}

static int place(const char *name)
{
    return pool_place(&pool, name, NULL, NULL);
}

static void none_is_chosen_when_none_is_ready(void **state)
{
    (void)state;
    assert_int_equal(pool_init(&pool, 4), 0);
    assert_int_equal(place(origin(1)), -1);
    assert_int_equal(pool_bound(&pool), 0);
    pool_set_ready(&pool, 2, true);
    assert_int_equal(place(origin(1)), 2);
    pool_set_ready(&pool, 2, false);
    assert_int_equal(place(origin(1)), -1);
    pool_finish(&pool);
}

static void an_origin_stays_with_its_worker(void **state)
{
    (void)state;
    begin(8);
    for (unsigned i = 0; i < 100; i++) {
        int first = place(origin(i));
        for (int k = 0; k < 5; k++)
            assert_int_equal(place(origin(i)), first);
    }
    pool_finish(&pool);
}

/* The same in every process and after every restart: it is part of no random state. */
static void two_pools_of_a_size_place_alike(void **state)
{
    (void)state;
    int first[200];
    begin(5);
    for (unsigned i = 0; i < 200; i++)
        first[i] = place(origin(i));
    pool_finish(&pool);
    begin(5);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(place(origin(i)), first[i]);
    pool_finish(&pool);
}

static void origins_spread_over_all_workers(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 16; workers *= 2) {
        unsigned counts[16] = { 0 };
        begin(workers);
        for (unsigned i = 0; i < 4000; i++)
            counts[place(origin(i))]++;
        for (unsigned i = 0; i < workers; i++)
            assert_in_range(counts[i], 4000 / workers / 3, 3 * 4000 / workers);
        pool_finish(&pool);
    }
}

static void when_a_worker_goes_only_its_origins_move(void **state)
{
    (void)state;
    int before[2000];
    begin(6);
    for (unsigned i = 0; i < 2000; i++)
        before[i] = place(origin(i));
    pool_set_ready(&pool, 3, false);
    for (unsigned i = 0; i < 2000; i++) {
        int now = place(origin(i));
        if (before[i] == 3)
            assert_int_not_equal(now, 3);
        else
            assert_int_equal(now, before[i]);
    }
    pool_set_ready(&pool, 3, true);
    for (unsigned i = 0; i < 2000; i++)
        assert_int_equal(place(origin(i)), before[i]);
    pool_finish(&pool);
}

/* The bound of the paper, (1 + epsilon) of the mean, rounded up. */
static unsigned bound_now(void)
{
    unsigned load = 0, ready = 0;
    for (unsigned i = 0; i < pool.size; i++) {
        load += pool.seats[i].ready ? pool.seats[i].load : 0;
        ready += pool.seats[i].ready;
    }
    return (unsigned)(((load + 1) * (100.0 + POOL_EPSILON_PERCENT) / 100 + ready - 1e-9) / ready);
}

static void one_hot_origin_spreads_within_the_bound(void **state)
{
    (void)state;
    begin(7);
    for (unsigned i = 0; i < 1000; i++) {
        int worker = place("https://hot.example:443");
        pool_add(&pool, (unsigned)worker);
        assert_in_range(pool.seats[worker].load, 1, (i + 1) * 1.25 / 7 + 1);
    }
    unsigned used = 0;
    for (unsigned i = 0; i < 7; i++)
        used += pool.seats[i].load > 0;
    assert_in_range(used, 6, 7);   /* six are enough to hold all within the bound */
    pool_finish(&pool);
}

/* Origins drawn by a power law, requests of random length, workers that come and go. */
static void the_bound_holds_for_skewed_origins_at_any_time(void **state)
{
    (void)state;
    uint64_t seed = 5;
    unsigned placed[3000];
    size_t open = 0;
    begin(9);
    for (int turn = 0; turn < 60000; turn++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        unsigned draw = (unsigned)(seed >> 33) % 1000;
        if (turn % 5000 == 4999)
            pool_set_ready(&pool, draw % 9, !pool.seats[draw % 9].ready);
        if (pool.ready > 0 && open < 3000 && (open < 50 || draw % 100 < 55)) {
            unsigned bound = pool_bound(&pool);
            assert_int_equal(bound, bound_now());
            int worker = place(origin(draw * draw / 20000));
            assert_true(pool.seats[worker].ready);
            assert_true(pool.seats[worker].load < bound);
            pool_add(&pool, (unsigned)worker);
            placed[open++] = (unsigned)worker;
        } else if (open > 0) {
            size_t gone = (size_t)(seed >> 40) % open;
            pool_remove(&pool, placed[gone]);
            placed[gone] = placed[--open];
        }
    }
    pool_finish(&pool);
}

static void a_load_is_kept_while_its_worker_is_not_ready(void **state)
{
    (void)state;
    begin(2);
    for (int i = 0; i < 10; i++)
        pool_add(&pool, 0);
    assert_int_equal(pool.load, 10);
    pool_set_ready(&pool, 0, false);
    assert_int_equal(pool.load, 0);
    pool_remove(&pool, 0);
    pool_set_ready(&pool, 0, false);   /* no change */
    assert_int_equal(pool.load, 0);
    pool_set_ready(&pool, 0, true);
    assert_int_equal(pool.load, 9);
    assert_int_equal(pool.ready, 2);
    pool_finish(&pool);
}

static bool is_odd(const void *context, unsigned worker)
{
    unsigned *asked = *(unsigned *const *)context;
    (*asked)++;
    return worker % 2 == 1;
}

static bool never(const void *context, unsigned worker)
{
    (void)context;
    (void)worker;
    return false;
}

static void only_workers_with_room_are_chosen(void **state)
{
    (void)state;
    unsigned asked = 0, *context = &asked;
    begin(6);
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(pool_place(&pool, origin(i), is_odd, &context) % 2, 1);
    assert_true(asked >= 300);
    assert_int_equal(pool_place(&pool, origin(1), never, NULL), -1);
    pool_finish(&pool);
}

/* Those within the bound have no room yet, and soon they have. */
static void room_does_not_excuse_a_load_above_the_bound(void **state)
{
    (void)state;
    unsigned asked = 0, *context = &asked;
    begin(2);
    for (int i = 0; i < 100; i++)
        pool_add(&pool, 1);
    assert_int_equal(place(origin(1)), 0);
    assert_int_equal(pool_place(&pool, origin(1), is_odd, &context), -1);
    while (pool.seats[1].load >= pool_bound(&pool))
        pool_add(&pool, 0);
    assert_int_equal(pool_place(&pool, origin(1), is_odd, &context), 1);
    pool_finish(&pool);
}

/* A burst for one origin, of which each worker takes 64 before it says STARTED, in turns or not. */
static bool takes_unstarted(const void *context, unsigned worker)
{
    const unsigned *unstarted = context;
    return unstarted[worker] < 64;
}

static void a_burst_keeps_the_bound_whoever_starts_first(void **state)
{
    (void)state;
    unsigned unstarted[4] = { 0 }, waiting = 4000;
    uint64_t seed = 9;
    begin(4);
    while (waiting > 0) {
        int worker = pool_place(&pool, "https://hot.example:443", takes_unstarted, unstarted);
        if (worker < 0) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            unstarted[seed >> 62] = 0;
            continue;
        }
        assert_true(pool.seats[worker].load < bound_now());
        pool_add(&pool, (unsigned)worker);
        unstarted[worker]++;
        waiting--;
    }
    pool_finish(&pool);
}

UNIT_TESTS(TEST(none_is_chosen_when_none_is_ready), TEST(an_origin_stays_with_its_worker),
           TEST(two_pools_of_a_size_place_alike), TEST(origins_spread_over_all_workers),
           TEST(when_a_worker_goes_only_its_origins_move), TEST(one_hot_origin_spreads_within_the_bound),
           TEST(the_bound_holds_for_skewed_origins_at_any_time),
           TEST(a_load_is_kept_while_its_worker_is_not_ready),
           TEST(only_workers_with_room_are_chosen), TEST(room_does_not_excuse_a_load_above_the_bound),
           TEST(a_burst_keeps_the_bound_whoever_starts_first))
