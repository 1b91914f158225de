/* queue.c: whose turn it is. Requests here are nothing but a cost. */
#include "daemon/queue.h"
#include "daemon/request.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define PRINCIPALS 3
#define CONNECTIONS 4

static struct queue queue;
static struct queue_flow principals[PRINCIPALS], connections[PRINCIPALS][CONNECTIONS];
static unsigned served[PRINCIPALS][CONNECTIONS];

static void begin(void)
{
    memset(&queue, 0, sizeof queue);
    memset(served, 0, sizeof served);
    for (int p = 0; p < PRINCIPALS; p++) {
        queue_flow_init(&principals[p], NULL);
        for (int c = 0; c < CONNECTIONS; c++)
            queue_flow_init(&connections[p][c], &principals[p]);
    }
}

static struct request *push(int principal, int connection, size_t bytes)
{
    struct request *request = calloc(1, sizeof *request);
    assert_non_null(request);
    request->kept_length = bytes;
    queue_push(&queue, &connections[principal][connection], request, false);
    return request;
}

static void push_many(int principal, int connection, size_t bytes, int count)
{
    for (int i = 0; i < count; i++)
        push(principal, connection, bytes);
}

/* Serves whose turn it is. */
static void serve(int count)
{
    for (int i = 0; i < count; i++) {
        struct request *request = queue_next(&queue);
        assert_non_null(request);
        assert_ptr_equal(queue_next(&queue), request);   /* asking changes nothing */
        for (int p = 0; p < PRINCIPALS; p++)
            for (int c = 0; c < CONNECTIONS; c++)
                served[p][c] += request->flow == &connections[p][c];
        queue_remove(&queue, request, true);
        free(request);
    }
}

static unsigned served_of(int principal)
{
    unsigned sum = 0;
    for (int c = 0; c < CONNECTIONS; c++)
        sum += served[principal][c];
    return sum;
}

static void end(void)
{
    serve((int)queue.length);
    assert_null(queue_next(&queue));
    assert_int_equal(queue.length, 0);
    assert_null(queue.ring);
}

static void an_empty_queue_has_nobody_next(void **state)
{
    (void)state;
    begin();
    assert_null(queue_next(&queue));
    end();
}

static void one_connections_requests_come_in_order(void **state)
{
    (void)state;
    struct request *pushed[50];
    begin();
    for (int i = 0; i < 50; i++)
        pushed[i] = push(0, 0, (size_t)i * 1000);
    for (int i = 0; i < 50; i++) {
        assert_ptr_equal(queue_next(&queue), pushed[i]);
        serve(1);
    }
    end();
}

static void one_that_comes_back_is_next_of_its_connection(void **state)
{
    (void)state;
    begin();
    push(0, 0, 0);
    struct request *again = calloc(1, sizeof *again);
    queue_push(&queue, &connections[0][0], again, true);
    assert_ptr_equal(queue_next(&queue), again);
    end();
}

static void principals_share_equally_however_many_connections_they_open(void **state)
{
    (void)state;
    begin();
    push_many(0, 0, 0, 400);
    for (int c = 0; c < CONNECTIONS; c++)
        push_many(1, c, 0, 400);
    serve(600);
    assert_in_range(served_of(0), 290, 310);
    assert_in_range(served_of(1), 290, 310);
    end();
}

static void connections_of_a_principal_share_equally(void **state)
{
    (void)state;
    begin();
    push_many(0, 0, 0, 1000);
    push_many(0, 1, 0, 1000);
    push_many(0, 2, 0, 1000);
    serve(900);
    for (int c = 0; c < 3; c++)
        assert_in_range(served[0][c], 290, 310);
    end();
}

static void a_flood_delays_a_newcomer_by_one_turn_only(void **state)
{
    (void)state;
    begin();
    push_many(0, 0, 0, 5000);
    serve(100);
    push(1, 0, 0);
    serve(8);   /* a quantum of the flood's, at most twice */
    assert_int_equal(served_of(1), 1);
    end();
}

/* 64 KiB cost 17 units, a small one 1. */
static void large_requests_cost_their_principal_its_turns(void **state)
{
    (void)state;
    begin();
    push_many(0, 0, 64 * 1024, 200);
    push_many(1, 0, 0, 3400);
    serve(1800);
    assert_in_range(served_of(1) / served_of(0), 15, 19);
    end();
}

static void turns_are_not_saved_up_while_nothing_waits(void **state)
{
    (void)state;
    begin();
    push_many(0, 0, 0, 1);
    serve(1);
    push_many(1, 0, 0, 1000);
    serve(500);
    push_many(0, 0, 0, 1000);
    memset(served, 0, sizeof served);
    serve(200);
    assert_in_range(served_of(0), 95, 105);
    end();
}

static void one_taken_out_unserved_costs_nothing(void **state)
{
    (void)state;
    begin();
    push_many(0, 0, 0, 300);
    for (int i = 0; i < 200; i++) {
        struct request *large = push(1, 0, 1 << 20);
        queue_remove(&queue, large, false);
        free(large);
    }
    push_many(1, 0, 0, 300);
    serve(200);
    assert_in_range(served_of(1), 95, 105);
    end();
}

static void anyone_can_be_taken_out_at_any_time(void **state)
{
    (void)state;
    static struct request *all[3000];
    size_t count = 0;
    uint64_t seed = 9;
    begin();
    for (int turn = 0; turn < 50000; turn++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        unsigned draw = (unsigned)(seed >> 33);
        if (count < 3000 && draw % 2) {
            all[count++] = push((int)(draw / 2 % PRINCIPALS), (int)(draw / 8 % CONNECTIONS), draw % 20000);
        } else if (count > 0) {
            size_t gone = draw % 3 ? draw % count : count;
            if (gone == count)
                for (gone = 0; all[gone] != queue_next(&queue);)
                    gone++;
            queue_remove(&queue, all[gone], draw % 5 == 0);
            free(all[gone]);
            all[gone] = all[--count];
        }
        assert_int_equal(queue.length, count);
        assert_int_equal(queue_next(&queue) != NULL, count > 0);
    }
    end();
}

UNIT_TESTS(TEST(an_empty_queue_has_nobody_next), TEST(one_connections_requests_come_in_order),
           TEST(one_that_comes_back_is_next_of_its_connection),
           TEST(principals_share_equally_however_many_connections_they_open),
           TEST(connections_of_a_principal_share_equally), TEST(a_flood_delays_a_newcomer_by_one_turn_only),
           TEST(large_requests_cost_their_principal_its_turns),
           TEST(turns_are_not_saved_up_while_nothing_waits),
           TEST(one_taken_out_unserved_costs_nothing), TEST(anyone_can_be_taken_out_at_any_time))
