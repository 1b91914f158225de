/* line.c: who is next at an origin. Requests here are nothing but their number. */
#include "daemon/line.h"
#include "daemon/request.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

static struct line line;
static struct request requests[64];

static void begin(void)
{
    memset(&line, 0, sizeof line);
    memset(requests, 0, sizeof requests);
}

static void push(unsigned number, uint32_t principal, uint32_t connection)
{
    line_push(&line, &requests[number], principal, connection, false);
}

static unsigned serve(void)
{
    struct request *request = line_first(&line);
    assert_non_null(request);
    line_remove(&line, request, true);
    return (unsigned)(request - requests);
}

static void end(void)
{
    while (!line_is_empty(&line))
        serve();
    assert_null(line_first(&line));
    assert_null(line.places);
}

static void one_connections_requests_leave_in_order(void **state)
{
    (void)state;
    begin();
    assert_true(line_is_empty(&line));
    for (unsigned i = 0; i < 20; i++)
        push(i, 1, 1);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(serve(), i);
    end();
}

static void a_flood_does_not_keep_a_later_comer_out(void **state)
{
    (void)state;
    unsigned turns = 1;
    begin();
    for (unsigned i = 0; i < 60; i++)
        push(i, 1, 1);
    push(60, 1, 2);
    while (serve() != 60)
        turns++;
    assert_in_range(turns, 1, 10);
    end();
}

static void users_share_alike_whatever_their_connections(void **state)
{
    (void)state;
    unsigned of_second = 0;
    begin();
    for (unsigned i = 0; i < 40; i++)
        push(i, 1, 1 + i % 4);
    for (unsigned i = 40; i < 60; i++)
        push(i, 2, 9);
    for (unsigned i = 0; i < 24; i++)
        of_second += serve() >= 40;
    assert_in_range(of_second, 8, 16);
    end();
}

static void in_front_is_before_its_connections_others(void **state)
{
    (void)state;
    begin();
    push(0, 1, 1);
    push(1, 1, 1);
    line_push(&line, &requests[2], 1, 1, true);
    assert_int_equal(serve(), 2);
    assert_int_equal(serve(), 0);
    end();
}

static void who_leaves_untimely_leaves_no_trace(void **state)
{
    (void)state;
    begin();
    push(0, 1, 1);
    push(1, 2, 2);
    push(2, 1, 1);
    line_remove(&line, &requests[1], false);
    line_remove(&line, &requests[0], false);
    assert_ptr_equal(line_first(&line), &requests[2]);
    line_remove(&line, &requests[2], false);
    assert_true(line_is_empty(&line));
    end();
}

UNIT_TESTS(TEST(one_connections_requests_leave_in_order), TEST(a_flood_does_not_keep_a_later_comer_out),
      TEST(users_share_alike_whatever_their_connections), TEST(in_front_is_before_its_connections_others),
      TEST(who_leaves_untimely_leaves_no_trace))
