/* input.c: lines of stdin as messages. */
#include "client/fetchctl/input.h"

#include "unit.h"

#include <string.h>
#include <unistd.h>

static struct input input;
static int ends[2];

static void feed(const char *text, size_t size)
{
    assert_int_equal(write(ends[1], text, size), size);
    assert_int_equal(input_read(&input, ends[0]), 0);
}

static void begin(void)
{
    input = (struct input){ .start = 0 };
    unit_pipe(ends);
}

static void finish(void)
{
    close(ends[1]);
    assert_int_equal(input_read(&input, ends[0]), 0);
    close(ends[0]);
}

static void take_line(const char *text)
{
    const char *data;
    size_t size;
    bool more;
    assert_true(input_line(&input, &data, &size, &more));
    assert_false(more);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(data, text, size);
    input_take(&input, size, true);
}

static bool has_line(void)
{
    const char *data;
    size_t size;
    bool more;
    return input_line(&input, &data, &size, &more);
}

static void lines_come_when_they_are_whole(void **state)
{
    (void)state;
    begin();
    feed("one\ntw", 6);
    take_line("one");
    assert_false(has_line());
    feed("o\n\nthree", 8);
    take_line("two");
    take_line("");
    assert_false(has_line());
    finish();
    assert_false(input_is_over(&input));
    take_line("three");
    assert_true(input_is_over(&input));
    assert_false(has_line());
}

static void a_last_line_end_begins_no_line(void **state)
{
    (void)state;
    begin();
    feed("one\n", 4);
    take_line("one");
    finish();
    assert_false(has_line());
    assert_true(input_is_over(&input));
}

static void a_line_taken_in_part_goes_on(void **state)
{
    (void)state;
    const char *data;
    size_t size;
    bool more;
    begin();
    feed("abcdef\nx\n", 9);
    assert_true(input_line(&input, &data, &size, &more));
    input_take(&input, 2, false);
    take_line("cdef");
    take_line("x");
    finish();
}

static void a_line_larger_than_the_buffer_comes_in_pieces(void **state)
{
    (void)state;
    static char block[INPUT_BYTES];
    const char *data;
    size_t size, sent = 0;
    bool more;
    begin();
    memset(block, 'x', sizeof block);
    while (input_wants(&input) && sent < INPUT_BYTES) {
        feed(block, 4096);
        sent += 4096;
    }
    assert_false(input_wants(&input));
    assert_true(input_line(&input, &data, &size, &more));
    assert_true(more);
    assert_int_equal(size, INPUT_BYTES);
    input_take(&input, size, false);
    assert_false(has_line());
    feed("end\nnext\n", 9);
    take_line("end");
    take_line("next");
    finish();
}

static void a_piece_that_ends_with_the_input_is_ended_by_an_empty_one(void **state)
{
    (void)state;
    static char block[4096];
    begin();
    for (int i = 0; i < 16; i++)
        feed(block, sizeof block);
    input_take(&input, INPUT_BYTES, false);
    finish();
    assert_false(input_is_over(&input));
    take_line("");
    assert_true(input_is_over(&input));
}

UNIT_TESTS(TEST(lines_come_when_they_are_whole), TEST(a_last_line_end_begins_no_line),
           TEST(a_line_taken_in_part_goes_on),
           TEST(a_line_larger_than_the_buffer_comes_in_pieces),
           TEST(a_piece_that_ends_with_the_input_is_ended_by_an_empty_one))
