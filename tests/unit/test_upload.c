/* upload.c: a request body under its window. */
#include "worker/upload.h"

#include "ipc/message.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static void nothing_may_come_before_it_is_open_or_after_its_end(void **state)
{
    (void)state;
    struct upload upload;
    upload_init(&upload);
    upload_reset(&upload, UINT64_MAX);
    assert_int_equal(upload_receive(&upload, "x", 1), UPLOAD_VIOLATION);
    assert_int_equal(upload_open(&upload), UPLOAD_WINDOW);
    assert_int_equal(upload_open(&upload), 0);
    assert_int_equal(upload_receive(&upload, "x", 1), UPLOAD_OK);
    assert_int_equal(upload_receive(&upload, "", 0), UPLOAD_OK);
    assert_int_equal(upload_receive(&upload, "x", 1), UPLOAD_VIOLATION);
    assert_int_equal(upload_receive(&upload, "", 0), UPLOAD_VIOLATION);
    upload_finish(&upload);
}

static void more_than_was_granted_is_a_violation(void **state)
{
    (void)state;
    struct upload upload;
    char data[40000] = "";
    upload_init(&upload);
    upload_reset(&upload, UINT64_MAX);
    upload_open(&upload);
    assert_int_equal(upload_receive(&upload, data, sizeof data), UPLOAD_OK);
    assert_int_equal(upload_receive(&upload, data, sizeof data), UPLOAD_VIOLATION);
    upload_finish(&upload);
}

static void the_promised_length_is_held_to(void **state)
{
    (void)state;
    struct upload upload;
    upload_init(&upload);
    upload_reset(&upload, 3);
    upload_open(&upload);
    assert_int_equal(upload_receive(&upload, "ab", 2), UPLOAD_OK);
    assert_int_equal(upload_receive(&upload, "cd", 2), UPLOAD_TOO_LONG);
    assert_int_equal(upload_receive(&upload, "", 0), UPLOAD_TOO_SHORT);
    upload_reset(&upload, 3);
    upload_open(&upload);
    assert_int_equal(upload_receive(&upload, "abc", 3), UPLOAD_OK);
    assert_int_equal(upload_receive(&upload, "", 0), UPLOAD_OK);
    upload_finish(&upload);
}

static void a_read_without_data_pauses_until_there_is_some_or_the_end(void **state)
{
    (void)state;
    struct upload upload;
    char place[10];
    int64_t grant;
    upload_init(&upload);
    upload_reset(&upload, UINT64_MAX);
    upload_open(&upload);
    assert_int_equal(upload_read(&upload, place, sizeof place, &grant), 0);
    assert_true(upload.paused);
    upload_receive(&upload, "abc", 3);
    assert_int_equal(upload_read(&upload, place, 2, &grant), 2);
    assert_false(upload.paused);
    assert_int_equal(upload_read(&upload, place, sizeof place, &grant), 1);
    upload_receive(&upload, "", 0);
    assert_int_equal(upload_read(&upload, place, sizeof place, &grant), 0);
    assert_false(upload.paused);
    upload_finish(&upload);
}

/* A sender that keeps to its credit gets a body of any length through, in pieces up to half the window. */
static void credit_never_runs_dry(void **state)
{
    (void)state;
    static const size_t pieces[] = { 1, 63, 1000, 20000, 32000 };
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct upload upload;
        char *data = calloc(1, pieces[i]), place[777];
        int64_t credit, grant;
        uint64_t sent = 0, got = 0, total = 500000;
        upload_init(&upload);
        upload_reset(&upload, UINT64_MAX);
        credit = upload_open(&upload);
        while (got < total) {
            size_t length = total - sent < pieces[i] ? (size_t)(total - sent) : pieces[i];
            bool moved = false;
            if (length > 0 && credit >= ipc_credit_cost(length)) {
                assert_int_equal(upload_receive(&upload, data, length), UPLOAD_OK);
                credit -= ipc_credit_cost(length);
                sent += length;
                moved = true;
            }
            size_t taken = upload_read(&upload, place, sizeof place, &grant);
            got += taken;
            credit += grant;
            if (!moved && taken == 0 && grant == 0)
                fail_msg("stuck at %llu of pieces of %zu", (unsigned long long)got, pieces[i]);
            assert_true(credit <= UPLOAD_WINDOW);
        }
        upload_finish(&upload);
        free(data);
    }
}

UNIT_TESTS(
    TEST(nothing_may_come_before_it_is_open_or_after_its_end),
    TEST(more_than_was_granted_is_a_violation),
    TEST(the_promised_length_is_held_to),
    TEST(a_read_without_data_pauses_until_there_is_some_or_the_end),
    TEST(credit_never_runs_dry))
