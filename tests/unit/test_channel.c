/* channel.c: frames in and out, pauses, ends. */
#include "channel_stage.h"
#include "far.h"
#include "ipc/channel.h"
#include "ipc/pack.h"
#include "ipc/unpack.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#define FAR_DIED_STATUS 0              /* a pipe's end is one, however it came about */
#else
#define FAR_DIED_STATUS UV_ECONNRESET
#endif

/* ---- in ---- */

static void frames_in_one_piece_arrive_one_by_one_in_order(void **state)
{
    (void)state;
    struct owner owner;
    stage_begin(&owner, 1 << 20);
    stage_write_pings(&owner, 50);
    stage_turn();
    assert_int_equal(owner.frames, 50);
    assert_int_equal(owner.last_id, 50);
    stage_end(&owner);
}

static void a_frame_fed_byte_by_byte_arrives_once_and_whole(void **state)
{
    (void)state;
    static const char bytes[] = "\0\0\0\x0d\x93\x03\xcd\x01\x02\x81\xa5token\x07"
                                "\0\0\0\x04\x93\x04\x00\x80";
    struct owner owner;
    stage_begin(&owner, 1 << 20);
    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        assert_int_equal(owner.frames, (i >= 17) + (i >= 25));
        stage_write_far(&owner, bytes + i, 1);
        stage_turn();
    }
    assert_int_equal(owner.frames, 2);
    assert_int_equal(owner.types[0], IPC_PING);
    assert_int_equal(owner.types[1], IPC_PONG);
    stage_end(&owner);
}

static void put_length(uint8_t *bytes, size_t length)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(length >> (24 - 8 * i));
}

/* One frame of `length` bytes behind its prefix. */
static uint8_t *large_frame(size_t length)
{
    uint8_t *bytes = malloc(4 + length);
    put_length(bytes, length);
    memcpy(bytes + 4, "\x93\x10\x05\xc6", 4);
    put_length(bytes + 8, length - 8);
    for (size_t i = 12; i < 4 + length; i++)
        bytes[i] = (uint8_t)(i * 7 >> 3);
    return bytes;
}

static void large_frames_in_any_pieces_arrive_whole(void **state)
{
    (void)state;
    static const size_t lengths[] = { 5000, 65549, 131072, 400000, 589827, 700000, 786500, 1000000,
                                      IPC_FRAME_BYTES };
    static const size_t pieces[] = { 1 << 20, 200000, 65536, 10000 };
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0] * 4; i++) {
        struct owner owner;
        size_t length = lengths[i / 4], piece = pieces[i % 4];
        uint8_t *bytes = large_frame(length);
        stage_begin(&owner, 1 << 20);
        for (size_t at = 0; at < 4 + length && !owner.ends; at += piece) {
            stage_write_far(&owner, bytes + at, piece < 4 + length - at ? piece : 4 + length - at);
            stage_turn();
        }
        if (owner.ends)
            fail_msg("%zu bytes in pieces of %zu: %s", length, piece, owner.end_reason);
        assert_int_equal(owner.frames, 1);
        assert_int_equal(owner.copy_length, length - 3);
        assert_memory_equal(owner.copy, bytes + 7, length - 3);
        stage_write_pings(&owner, 3);
        stage_turn();
        assert_int_equal(owner.frames, 4);
        free(bytes);
        stage_end(&owner);
    }
}

/* Small frames behind a large one, so that its last piece holds the beginning of others. */
static void frames_across_the_edges_of_reads_arrive_whole(void **state)
{
    (void)state;
    struct owner owner;
    struct ipc_buffer out;
    uint8_t *large = large_frame(300001);
    ipc_buffer_init(&out, 8 << 20);
    for (int i = 0; i < 10; i++) {
        ipc_buffer_append(&out, large, 300005);
        for (int k = 0; k < 500; k++)
            ipc_pack(&out, IPC_CLIENT, IPC_PING, 7, NULL);
    }
    stage_begin(&owner, 1 << 20);
    stage_write_far(&owner, ipc_buffer_data(&out), ipc_buffer_length(&out));
    stage_turn();
    assert_int_equal(owner.frames, 10 * 501);
    assert_int_equal(owner.bytes, 10 * (300001 - 3) + 10 * 500);
    assert_int_equal(owner.ends, 0);
    ipc_buffer_finish(&out);
    free(large);
    stage_end(&owner);
}

static void an_oversize_length_ends_the_channel_before_its_bytes_come(void **state)
{
    (void)state;
    struct owner owner;
    stage_begin(&owner, 1 << 20);
    stage_write_pings(&owner, 2);
    stage_write_far(&owner, "\x00\x10\x00\x01", 4);
    stage_turn();
    assert_int_equal(owner.frames, 2);
    assert_int_equal(owner.ends, 1);
    assert_int_equal(owner.end_status, UV_EPROTO);
    assert_string_equal(owner.end_reason, "a frame above 1 MiB");
    assert_int_equal(owner.channel.in.capacity, 0);
    stage_end(&owner);
}

static void a_malformed_frame_ends_the_channel_and_nothing_behind_it_arrives(void **state)
{
    (void)state;
    struct owner owner;
    stage_begin(&owner, 1 << 20);
    stage_write_far(&owner, "\0\0\0\x04\x93\x03\x00\x80" "\0\0\0\x03\x93\x03\x00" "\0\0\0\x04\x93\x03\x00\x80", 23);
    stage_turn();
    assert_int_equal(owner.frames, 1);
    assert_int_equal(owner.ends, 1);
    assert_int_equal(owner.end_status, UV_EPROTO);
    stage_write_pings(&owner, 3);
    stage_turn();
    assert_int_equal(owner.frames, 1);
    assert_int_equal(owner.ends, 1);
    stage_end(&owner);
}

static void a_peer_that_closes_is_an_orderly_end_behind_all_it_said(void **state)
{
    (void)state;
    struct owner owner;
    stage_begin(&owner, 1 << 20);
    stage_write_pings(&owner, 3);
    stage_write_far(&owner, "\0\0\0\x09half", 8);
    far_close(owner.other);
    owner.other = -1;
    stage_turn();
    assert_int_equal(owner.frames, 3);
    assert_int_equal(owner.ends, 1);
    assert_int_equal(owner.end_status, 0);
    stage_end(&owner);
}

/* As a killed worker does. */
static void a_peer_that_dies_with_something_unread_is_heard_to_its_last_word(void **state)
{
    (void)state;
    struct owner owner;
    stage_begin(&owner, 1 << 20);
    stage_send_pings(&owner, 5);
    assert_true(ipc_channel_flush(&owner.channel));
    stage_write_pings(&owner, 3000);
    far_close(owner.other);
    owner.other = -1;
    stage_turn();
    assert_int_equal(owner.frames, 3000);
    assert_int_equal(owner.ends, 1);
    assert_int_equal(owner.end_status, FAR_DIED_STATUS);
    stage_end(&owner);
}

static void a_paused_channel_reads_nothing_and_loses_nothing(void **state)
{
    (void)state;
    struct owner owner;
    stage_begin(&owner, 1 << 20);
    ipc_channel_pause(&owner.channel, true);
    stage_write_pings(&owner, 10);
    stage_turn();
    assert_int_equal(owner.frames, 0);
    ipc_channel_pause(&owner.channel, false);
    stage_turn();
    assert_int_equal(owner.frames, 10);
    stage_end(&owner);
}

/* What a paused channel does not read waits in the stream, and then its peer waits. */
static void a_paused_channel_makes_its_peer_wait(void **state)
{
    (void)state;
    static const char frame[8] = "\0\0\0\x04\x93\x03\x00\x80";
    char frames[4096];
    const size_t too_much = 8 << 20;
    struct owner owner;
    size_t bytes = 0;
    ssize_t got;
    for (size_t i = 0; i < sizeof frames; i++)
        frames[i] = frame[i % 8];
    stage_begin(&owner, 1 << 20);
    ipc_channel_pause(&owner.channel, true);
    while ((got = far_write(owner.other, frames, sizeof frames)) > 0 && bytes < too_much) {
        bytes += (size_t)got;
        stage_turn();
    }
    assert_in_range(bytes, 1, too_much - 1);
    assert_int_equal(owner.frames, 0);
    assert_int_equal(owner.ends, 0);
    ipc_channel_pause(&owner.channel, false);
    stage_turn();
    assert_int_equal(owner.frames, bytes / 8);
    stage_end(&owner);
}

static void a_pause_from_within_a_frame_is_kept(void **state)
{
    (void)state;
    struct owner owner;
    stage_begin(&owner, 1 << 20);
    owner.pause_after = 1;
    stage_write_pings(&owner, 1);
    stage_turn();
    stage_write_pings(&owner, 1);
    stage_turn();
    assert_int_equal(owner.frames, 1);
    ipc_channel_pause(&owner.channel, false);
    stage_turn();
    assert_int_equal(owner.frames, 2);
    stage_end(&owner);
}

static void what_came_with_the_frame_that_paused_waits_too(void **state)
{
    (void)state;
    struct owner owner;
    stage_begin(&owner, 1 << 20);
    owner.pause_after = 2;
    stage_write_pings(&owner, 5);   /* one read brings them all */
    stage_turn();
    assert_int_equal(owner.frames, 2);
    ipc_channel_pause(&owner.channel, false);
    stage_turn();
    assert_int_equal(owner.frames, 5);
    stage_end(&owner);
}

/* ---- out ---- */

static void what_exceeds_the_limit_is_refused_and_the_rest_arrives(void **state)
{
    (void)state;
    static char payload[IPC_DATA_BYTES], piece[1 << 20];
    struct owner owner;
    unsigned taken = 0;
    size_t got = 0, one = 4 + 7 + 5 + sizeof payload;   /* bin32, as 64 KiB need */
    stage_begin(&owner, 5 * one);
    while (ipc_channel_send_data(&owner.channel, 9, payload, sizeof payload) == 0)
        taken++;
    assert_int_equal(taken, 5);
    assert_int_equal(ipc_channel_unsent(&owner.channel), 5 * one);
    assert_int_equal(ipc_channel_send(&owner.channel, IPC_PING, 0, NULL), -1);
    stage_turn();
    assert_in_range(ipc_channel_unsent(&owner.channel), 1, 5 * one - 1);   /* the socket is full */
    while (got < 5 * one) {
        ssize_t size = stage_read_far(&owner, piece, sizeof piece);
        got += size > 0 ? (size_t)size : 0;
        stage_turn();
    }
    assert_int_equal(got, 5 * one);
    assert_int_equal(ipc_channel_unsent(&owner.channel), 0);
    assert_int_equal(ipc_channel_send(&owner.channel, IPC_PING, 0, NULL), 0);
    stage_end(&owner);
}

static void flush_writes_before_it_returns(void **state)
{
    (void)state;
    static char payload[IPC_DATA_BYTES], piece[1 << 20];
    struct owner owner;
    stage_begin(&owner, 8 << 20);
    stage_send_pings(&owner, 1);
    assert_true(ipc_channel_flush(&owner.channel));
    assert_true(stage_read_far(&owner, piece, sizeof piece) > 0);
    for (int i = 0; i < 30; i++)
        ipc_channel_send_data(&owner.channel, 9, payload, sizeof payload);
    assert_false(ipc_channel_flush(&owner.channel));
    assert_true(ipc_channel_unsent(&owner.channel) > 0);
    size_t left;
    do {
        while (stage_read_far(&owner, piece, sizeof piece) > 0)
            ;
        stage_turn();
        left = ipc_channel_unsent(&owner.channel);
    } while (left > 0);
    assert_true(ipc_channel_flush(&owner.channel));
    stage_end(&owner);
}

static void a_slow_reader_gets_every_byte_in_order(void **state)
{
    (void)state;
    static char payload[IPC_DATA_BYTES], piece[3000];
    struct owner owner;
    struct ipc_buffer in;
    uint32_t frames = 0;
    stage_begin(&owner, 4 << 20);
    ipc_buffer_init(&in, 2 << 20);
    for (uint32_t i = 0; i < 40; i++) {
        memset(payload, (int)i, sizeof payload);
        assert_int_equal(ipc_channel_send_data(&owner.channel, i, payload, 1000 * (size_t)i), 0);
    }
    while (frames < 40) {
        ssize_t got = stage_read_far(&owner, piece, sizeof piece);
        struct ipc_frame frame;
        if (got > 0)
            ipc_buffer_append(&in, piece, (size_t)got);
        else
            stage_turn();
        while (ipc_frame_read(ipc_buffer_data(&in), ipc_buffer_length(&in), &frame, NULL) == IPC_FRAME_OK) {
            struct ipc_bytes data;
            assert_int_equal(ipc_unpack_data(NULL, &frame, &data), 0);
            assert_int_equal(frame.id, frames);
            assert_int_equal(data.length, 1000 * frames);
            for (size_t i = 0; i < data.length; i += 997)
                assert_int_equal(data.data[i], (uint8_t)frames);
            ipc_buffer_consume(&in, frame.whole_length);
            frames++;
        }
    }
    assert_int_equal(ipc_buffer_length(&in), 0);
    ipc_buffer_finish(&in);
    stage_end(&owner);
}

static void a_peer_that_is_gone_ends_the_channel_once_whoever_notices_first(void **state)
{
    (void)state;
    for (int paused = 0; paused < 2; paused++) {
        struct owner owner;
        stage_begin(&owner, 1 << 20);
        ipc_channel_pause(&owner.channel, paused);
        far_close(owner.other);
        owner.other = -1;
        stage_send_pings(&owner, 5);
        stage_turn();
        stage_send_pings(&owner, 5);
        stage_turn();
        assert_int_equal(owner.ends, 1);
        assert_int_equal(ipc_channel_unsent(&owner.channel), 0);
        stage_end(&owner);
    }
}

static void two_channels_exchange_megabytes_both_ways(void **state)
{
    (void)state;
    static char payload[IPC_DATA_BYTES];
    struct owner a, b;
    int pair[2];
    stage_begin(&a, 1 << 20);
    memset(&b, 0, sizeof b);
    stage_close_owner(&a);
    assert_int_equal(far_channels(pair), 0);
    memset(&a, 0, sizeof a);
    a.other = b.other = -1;
    ipc_channel_open(&a.channel, &stage_hub, pair[0], IPC_CLIENT, 512 * 1024, &stage_calls, &a);
    ipc_channel_open(&b.channel, &stage_hub, pair[1], IPC_DAEMON_TO_CLIENT, 512 * 1024, &stage_calls, &b);
    unsigned from_a = 0, from_b = 0;
    while (a.frames < 300 || b.frames < 300) {
        while (from_a < 300 && ipc_channel_send_data(&a.channel, from_a, payload, sizeof payload) == 0)
            from_a++;
        while (from_b < 300 && ipc_channel_send_data(&b.channel, from_b, payload, sizeof payload) == 0)
            from_b++;
        uv_run(&stage_loop, UV_RUN_ONCE);
    }
    assert_int_equal(a.last_id, 299);
    assert_int_equal(b.last_id, 299);
    assert_int_equal(a.bytes, 300 * (IPC_DATA_BYTES + 5));
    stage_close_owner(&b);
    stage_end(&a);
}

/* ---- close ---- */

static void close_tells_later_and_then_nothing_more_comes(void **state)
{
    (void)state;
    struct owner owner;
    stage_begin(&owner, 1 << 20);
    stage_write_pings(&owner, 5);
    ipc_channel_close(&owner.channel);
    assert_int_equal(owner.closed, 0);
    ipc_channel_close(&owner.channel);
    stage_turn();
    assert_int_equal(owner.closed, 1);
    assert_int_equal(owner.frames, 0);
    assert_int_equal(owner.ends, 0);
    assert_int_equal(ipc_channel_send(&owner.channel, IPC_PING, 0, NULL), 0);
    stage_end(&owner);
}

static void close_within_a_frame_stops_those_behind_it(void **state)
{
    (void)state;
    struct owner owner;
    stage_begin(&owner, 1 << 20);
    owner.close_after = 3;
    stage_write_pings(&owner, 10);
    stage_turn();
    assert_int_equal(owner.frames, 3);
    assert_int_equal(owner.ends, 0);
    stage_end(&owner);
}

static void a_last_word_before_close_still_leaves(void **state)
{
    (void)state;
    struct ipc_error error = { .name = IPC_TEXT("draining") };
    char piece[200];
    struct owner owner;
    stage_begin(&owner, 1 << 20);
    ipc_channel_send(&owner.channel, IPC_ERROR, 0, &error);
    ipc_channel_close(&owner.channel);
    assert_true(stage_read_far(&owner, piece, sizeof piece) > 10);
    stage_turn();
    assert_int_equal(stage_read_far(&owner, piece, sizeof piece), 0);
    stage_end(&owner);
}

static void a_channel_closed_while_it_waits_to_be_written_is_forgotten(void **state)
{
    (void)state;
    struct owner owners[5];
    stage_begin(&owners[0], 1 << 20);
    for (int i = 1; i < 5; i++)
        stage_open_owner(&owners[i], 1 << 20);
    for (int i = 0; i < 5; i++)
        stage_send_pings(&owners[i], 1);
    stage_close_owner(&owners[2]);
    stage_close_owner(&owners[4]);
    stage_turn();
    assert_int_equal(owners[1].sents, 1);
    assert_int_equal(owners[3].sents, 1);
    stage_close_owner(&owners[1]);
    stage_close_owner(&owners[3]);
    stage_end(&owners[0]);
}

static void a_descriptor_that_can_not_be_polled_is_refused_and_closed(void **state)
{
    (void)state;
    struct owner owner, refused;
    stage_begin(&owner, 1 << 20);
    int fd = far_none();
    unsigned before = unit_descriptors();
    assert_true(ipc_channel_open(&refused.channel, &stage_hub, fd, IPC_CLIENT, 100, &stage_calls, &refused) < 0);
    assert_int_equal(unit_descriptors(), before - 1);
    stage_end(&owner);
}

UV_TESTS(TEST(frames_in_one_piece_arrive_one_by_one_in_order),
         TEST(a_frame_fed_byte_by_byte_arrives_once_and_whole),
         TEST(large_frames_in_any_pieces_arrive_whole), TEST(frames_across_the_edges_of_reads_arrive_whole),
         TEST(an_oversize_length_ends_the_channel_before_its_bytes_come),
         TEST(a_malformed_frame_ends_the_channel_and_nothing_behind_it_arrives),
         TEST(a_peer_that_closes_is_an_orderly_end_behind_all_it_said),
         TEST(a_peer_that_dies_with_something_unread_is_heard_to_its_last_word),
         TEST(a_paused_channel_reads_nothing_and_loses_nothing), TEST(a_paused_channel_makes_its_peer_wait),
         TEST(a_pause_from_within_a_frame_is_kept), TEST(what_came_with_the_frame_that_paused_waits_too),
         TEST(what_exceeds_the_limit_is_refused_and_the_rest_arrives), TEST(flush_writes_before_it_returns),
         TEST(a_slow_reader_gets_every_byte_in_order),
         TEST(a_peer_that_is_gone_ends_the_channel_once_whoever_notices_first),
         TEST(two_channels_exchange_megabytes_both_ways),
         TEST(close_tells_later_and_then_nothing_more_comes),
         TEST(close_within_a_frame_stops_those_behind_it), TEST(a_last_word_before_close_still_leaves),
         TEST(a_channel_closed_while_it_waits_to_be_written_is_forgotten),
         TEST(a_descriptor_that_can_not_be_polled_is_refused_and_closed))
