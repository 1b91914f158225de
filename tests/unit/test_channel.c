/* channel.c over a real socketpair and a real loop. The far end is a bare descriptor that the test
 * reads and writes itself. */
#include "ipc/channel.h"
#include "ipc/pack.h"
#include "ipc/unpack.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static uv_loop_t loop;
static struct ipc_hub hub;
static uv_timer_t alive;           /* as in a daemon, something always keeps the loop turning */

/* What a channel told its owner. */
struct owner {
    struct ipc_channel channel;
    int far;                       /* the other end */
    unsigned frames, ends, closed, sents;
    unsigned types[64];
    uint32_t last_id;
    uint64_t bytes;                /* of bodies */
    uint8_t *copy;                 /* of the last frame's body */
    size_t copy_length;
    int end_status;
    char end_reason[80];
    unsigned close_after;          /* frames, 0: never */
    unsigned pause_after;
};

static void on_frame(struct ipc_channel *channel, const struct ipc_frame *frame)
{
    struct owner *owner = channel->owner;
    owner->types[owner->frames++ % 64] = frame->type;
    owner->last_id = frame->id;
    owner->bytes += frame->body_length;
    free(owner->copy);
    owner->copy = malloc(frame->body_length);
    memcpy(owner->copy, frame->body, frame->body_length);
    owner->copy_length = frame->body_length;
    if (owner->frames == owner->close_after)
        ipc_channel_close(channel);
    if (owner->frames == owner->pause_after)
        ipc_channel_pause(channel, true);
}

static void on_end(struct ipc_channel *channel, int status, const char *reason)
{
    struct owner *owner = channel->owner;
    owner->ends++;
    owner->end_status = status;
    snprintf(owner->end_reason, sizeof owner->end_reason, "%s", reason);
}

static void on_sent(struct ipc_channel *channel, size_t unsent)
{
    struct owner *owner = channel->owner;
    owner->sents++;
    assert_int_equal(unsent, ipc_channel_unsent(channel));
}

static void on_closed(struct ipc_channel *channel)
{
    struct owner *owner = channel->owner;
    owner->closed++;
}

static const struct ipc_channel_calls calls = { on_frame, on_end, on_sent, on_closed };

static void open_owner(struct owner *owner, int type, size_t limit_bytes)
{
    int pair[2];
    memset(owner, 0, sizeof *owner);
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
    owner->far = pair[1];
    fcntl(owner->far, F_SETFL, O_NONBLOCK);
    int status = ipc_channel_open(&owner->channel, &hub, pair[0], IPC_DAEMON_TO_CLIENT, limit_bytes, &calls, owner);
    assert_int_equal(status, 0);
}

static void on_uv_alive(uv_timer_t *timer)
{
    (void)timer;
}

static void begin(struct owner *owner, size_t limit_bytes)
{
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(ipc_hub_init(&hub, &loop), 0);
    uv_timer_init(&loop, &alive);
    uv_timer_start(&alive, on_uv_alive, 3600 * 1000, 0);
    open_owner(owner, SOCK_STREAM, limit_bytes);
}

/* Turns of the loop that find nothing more to do. */
static void turn(void)
{
    for (int i = 0; i < 20; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
}

static void close_owner(struct owner *owner)
{
    ipc_channel_close(&owner->channel);
    if (owner->far >= 0)
        close(owner->far);
    while (!owner->closed)
        uv_run(&loop, UV_RUN_ONCE);
    free(owner->copy);
}

static void end(struct owner *owner)
{
    close_owner(owner);
    ipc_hub_close(&hub);
    uv_close((uv_handle_t *)&alive, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    ipc_hub_finish(&hub);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(owner->closed, 1);
}

static void send_pings(struct owner *owner, int count)
{
    for (int i = 0; i < count; i++) {
        struct ipc_ping ping = { .token = (uint64_t)i };
        assert_int_equal(ipc_channel_send(&owner->channel, IPC_PING, 0, &ping), 0);
    }
}

/* Writes all of it, turning the loop whenever the socket is full. */
static void write_far(struct owner *owner, const void *data, size_t length)
{
    const char *at = data;
    while (length > 0) {
        ssize_t written = write(owner->far, at, length);
        if (written < 0) {
            assert_int_equal(errno, EAGAIN);
            uv_run(&loop, UV_RUN_NOWAIT);
            continue;
        }
        at += written;
        length -= (size_t)written;
    }
}

static void write_pings(struct owner *owner, int count)
{
    struct ipc_buffer out;
    ipc_buffer_init(&out, 1 << 20);
    for (int i = 1; i <= count; i++)
        ipc_pack(&out, IPC_CLIENT, IPC_PING, (uint32_t)i, NULL);
    write_far(owner, ipc_buffer_data(&out), ipc_buffer_length(&out));
    ipc_buffer_finish(&out);
}

/* ---- in ---- */

static void frames_in_one_piece_arrive_one_by_one_in_order(void **state)
{
    (void)state;
    struct owner owner;
    begin(&owner, 1 << 20);
    write_pings(&owner, 50);
    turn();
    assert_int_equal(owner.frames, 50);
    assert_int_equal(owner.last_id, 50);
    end(&owner);
}

static void a_frame_fed_byte_by_byte_arrives_once_and_whole(void **state)
{
    (void)state;
    static const char bytes[] = "\0\0\0\x0d\x93\x03\xcd\x01\x02\x81\xa5token\x07"
                                "\0\0\0\x04\x93\x04\x00\x80";
    struct owner owner;
    begin(&owner, 1 << 20);
    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        assert_int_equal(owner.frames, (i >= 17) + (i >= 25));
        write_far(&owner, bytes + i, 1);
        turn();
    }
    assert_int_equal(owner.frames, 2);
    assert_int_equal(owner.types[0], IPC_PING);
    assert_int_equal(owner.types[1], IPC_PONG);
    end(&owner);
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
        begin(&owner, 1 << 20);
        for (size_t at = 0; at < 4 + length && !owner.ends; at += piece) {
            write_far(&owner, bytes + at, piece < 4 + length - at ? piece : 4 + length - at);
            turn();
        }
        if (owner.ends)
            fail_msg("%zu bytes in pieces of %zu: %s", length, piece, owner.end_reason);
        assert_int_equal(owner.frames, 1);
        assert_int_equal(owner.copy_length, length - 3);
        assert_memory_equal(owner.copy, bytes + 7, length - 3);
        write_pings(&owner, 3);
        turn();
        assert_int_equal(owner.frames, 4);
        free(bytes);
        end(&owner);
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
    begin(&owner, 1 << 20);
    write_far(&owner, ipc_buffer_data(&out), ipc_buffer_length(&out));
    turn();
    assert_int_equal(owner.frames, 10 * 501);
    assert_int_equal(owner.bytes, 10 * (300001 - 3) + 10 * 500);
    assert_int_equal(owner.ends, 0);
    ipc_buffer_finish(&out);
    free(large);
    end(&owner);
}

static void an_oversize_length_ends_the_channel_before_its_bytes_come(void **state)
{
    (void)state;
    struct owner owner;
    begin(&owner, 1 << 20);
    write_pings(&owner, 2);
    write_far(&owner, "\x00\x10\x00\x01", 4);
    turn();
    assert_int_equal(owner.frames, 2);
    assert_int_equal(owner.ends, 1);
    assert_int_equal(owner.end_status, UV_EPROTO);
    assert_string_equal(owner.end_reason, "a frame above 1 MiB");
    assert_int_equal(owner.channel.in.capacity, 0);
    end(&owner);
}

static void a_malformed_frame_ends_the_channel_and_nothing_behind_it_arrives(void **state)
{
    (void)state;
    struct owner owner;
    begin(&owner, 1 << 20);
    write_far(&owner, "\0\0\0\x04\x93\x03\x00\x80" "\0\0\0\x03\x93\x03\x00" "\0\0\0\x04\x93\x03\x00\x80", 23);
    turn();
    assert_int_equal(owner.frames, 1);
    assert_int_equal(owner.ends, 1);
    assert_int_equal(owner.end_status, UV_EPROTO);
    write_pings(&owner, 3);
    turn();
    assert_int_equal(owner.frames, 1);
    assert_int_equal(owner.ends, 1);
    end(&owner);
}

static void a_peer_that_closes_is_an_orderly_end_behind_all_it_said(void **state)
{
    (void)state;
    struct owner owner;
    begin(&owner, 1 << 20);
    write_pings(&owner, 3);
    write_far(&owner, "\0\0\0\x09half", 8);
    close(owner.far);
    owner.far = -1;
    turn();
    assert_int_equal(owner.frames, 3);
    assert_int_equal(owner.ends, 1);
    assert_int_equal(owner.end_status, 0);
    end(&owner);
}

/* As a killed worker does. */
static void a_peer_that_dies_with_something_unread_is_heard_to_its_last_word(void **state)
{
    (void)state;
    struct owner owner;
    begin(&owner, 1 << 20);
    send_pings(&owner, 5);
    assert_true(ipc_channel_flush(&owner.channel));
    write_pings(&owner, 3000);
    close(owner.far);
    owner.far = -1;
    turn();
    assert_int_equal(owner.frames, 3000);
    assert_int_equal(owner.ends, 1);
    assert_int_equal(owner.end_status, UV_ECONNRESET);
    end(&owner);
}

static void a_paused_channel_reads_nothing_and_loses_nothing(void **state)
{
    (void)state;
    struct owner owner;
    begin(&owner, 1 << 20);
    ipc_channel_pause(&owner.channel, true);
    write_pings(&owner, 10);
    turn();
    assert_int_equal(owner.frames, 0);
    ipc_channel_pause(&owner.channel, false);
    turn();
    assert_int_equal(owner.frames, 10);
    end(&owner);
}

static void a_pause_from_within_a_frame_is_kept(void **state)
{
    (void)state;
    struct owner owner;
    begin(&owner, 1 << 20);
    owner.pause_after = 1;
    write_pings(&owner, 1);
    turn();
    write_pings(&owner, 1);
    turn();
    assert_int_equal(owner.frames, 1);
    ipc_channel_pause(&owner.channel, false);
    turn();
    assert_int_equal(owner.frames, 2);
    end(&owner);
}

static void what_came_with_the_frame_that_paused_waits_too(void **state)
{
    (void)state;
    struct owner owner;
    begin(&owner, 1 << 20);
    owner.pause_after = 2;
    write_pings(&owner, 5);   /* one read brings them all */
    turn();
    assert_int_equal(owner.frames, 2);
    ipc_channel_pause(&owner.channel, false);
    turn();
    assert_int_equal(owner.frames, 5);
    end(&owner);
}

/* ---- out ---- */

static ssize_t read_far(struct owner *owner, void *place, size_t size)
{
    ssize_t got = recv(owner->far, place, size, 0);
    if (got < 0)
        assert_int_equal(errno, EAGAIN);
    return got;
}

/* On a socket that keeps the bounds of writes, each read is one write. */
static void what_is_sent_in_one_turn_leaves_with_one_write(void **state)
{
    (void)state;
    static char piece[256 * 1024], payload[20000];
    struct owner owner, packets;
    begin(&owner, 1 << 20);
    open_owner(&packets, SOCK_SEQPACKET, 1 << 20);
    send_pings(&packets, 100);
    ipc_channel_send_data(&packets.channel, 3, payload, sizeof payload);
    send_pings(&packets, 1);
    size_t queued = ipc_channel_unsent(&packets.channel);
    assert_int_equal(read_far(&packets, piece, sizeof piece), -1);   /* not before the turn ends */
    turn();
    assert_int_equal(read_far(&packets, piece, sizeof piece), queued);
    assert_int_equal(read_far(&packets, piece, sizeof piece), -1);
    assert_int_equal(packets.sents, 1);
    send_pings(&packets, 1);
    turn();
    send_pings(&packets, 1);
    turn();
    assert_true(read_far(&packets, piece, sizeof piece) > 0);
    assert_true(read_far(&packets, piece, sizeof piece) > 0);
    assert_int_equal(read_far(&packets, piece, sizeof piece), -1);
    assert_int_equal(ipc_channel_unsent(&packets.channel), 0);
    close_owner(&packets);
    end(&owner);
}

static void what_exceeds_the_limit_is_refused_and_the_rest_arrives(void **state)
{
    (void)state;
    static char payload[IPC_DATA_BYTES], piece[1 << 20];
    struct owner owner;
    unsigned taken = 0;
    size_t got = 0, one = 4 + 7 + 5 + sizeof payload;   /* bin32, as 64 KiB need */
    begin(&owner, 5 * one);
    while (ipc_channel_send_data(&owner.channel, 9, payload, sizeof payload) == 0)
        taken++;
    assert_int_equal(taken, 5);
    assert_int_equal(ipc_channel_unsent(&owner.channel), 5 * one);
    assert_int_equal(ipc_channel_send(&owner.channel, IPC_PING, 0, NULL), -1);
    turn();
    assert_in_range(ipc_channel_unsent(&owner.channel), 1, 5 * one - 1);   /* the socket is full */
    while (got < 5 * one) {
        ssize_t size = read_far(&owner, piece, sizeof piece);
        got += size > 0 ? (size_t)size : 0;
        turn();
    }
    assert_int_equal(got, 5 * one);
    assert_int_equal(ipc_channel_unsent(&owner.channel), 0);
    assert_int_equal(ipc_channel_send(&owner.channel, IPC_PING, 0, NULL), 0);
    end(&owner);
}

static void flush_writes_before_it_returns(void **state)
{
    (void)state;
    static char payload[IPC_DATA_BYTES], piece[1 << 20];
    struct owner owner;
    begin(&owner, 8 << 20);
    send_pings(&owner, 1);
    assert_true(ipc_channel_flush(&owner.channel));
    assert_true(read_far(&owner, piece, sizeof piece) > 0);
    for (int i = 0; i < 30; i++)
        ipc_channel_send_data(&owner.channel, 9, payload, sizeof payload);
    assert_false(ipc_channel_flush(&owner.channel));
    assert_true(ipc_channel_unsent(&owner.channel) > 0);
    size_t left;
    do {
        while (read_far(&owner, piece, sizeof piece) > 0)
            ;
        turn();
        left = ipc_channel_unsent(&owner.channel);
    } while (left > 0);
    assert_true(ipc_channel_flush(&owner.channel));
    end(&owner);
}

static void a_slow_reader_gets_every_byte_in_order(void **state)
{
    (void)state;
    static char payload[IPC_DATA_BYTES], piece[3000];
    struct owner owner;
    struct ipc_buffer in;
    uint32_t frames = 0;
    begin(&owner, 4 << 20);
    ipc_buffer_init(&in, 2 << 20);
    for (uint32_t i = 0; i < 40; i++) {
        memset(payload, (int)i, sizeof payload);
        assert_int_equal(ipc_channel_send_data(&owner.channel, i, payload, 1000 * (size_t)i), 0);
    }
    while (frames < 40) {
        ssize_t got = read_far(&owner, piece, sizeof piece);
        struct ipc_frame frame;
        if (got > 0)
            ipc_buffer_append(&in, piece, (size_t)got);
        else
            turn();
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
    end(&owner);
}

static void a_peer_that_is_gone_ends_the_channel_once_whoever_notices_first(void **state)
{
    (void)state;
    for (int paused = 0; paused < 2; paused++) {
        struct owner owner;
        begin(&owner, 1 << 20);
        ipc_channel_pause(&owner.channel, paused);
        close(owner.far);
        owner.far = -1;
        send_pings(&owner, 5);
        turn();
        send_pings(&owner, 5);
        turn();
        assert_int_equal(owner.ends, 1);
        assert_int_equal(ipc_channel_unsent(&owner.channel), 0);
        end(&owner);
    }
}

static void two_channels_exchange_megabytes_both_ways(void **state)
{
    (void)state;
    static char payload[IPC_DATA_BYTES];
    struct owner a, b;
    int pair[2];
    begin(&a, 1 << 20);
    memset(&b, 0, sizeof b);
    close_owner(&a);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    memset(&a, 0, sizeof a);
    a.far = b.far = -1;
    ipc_channel_open(&a.channel, &hub, pair[0], IPC_CLIENT, 512 * 1024, &calls, &a);
    ipc_channel_open(&b.channel, &hub, pair[1], IPC_DAEMON_TO_CLIENT, 512 * 1024, &calls, &b);
    unsigned from_a = 0, from_b = 0;
    while (a.frames < 300 || b.frames < 300) {
        while (from_a < 300 && ipc_channel_send_data(&a.channel, from_a, payload, sizeof payload) == 0)
            from_a++;
        while (from_b < 300 && ipc_channel_send_data(&b.channel, from_b, payload, sizeof payload) == 0)
            from_b++;
        uv_run(&loop, UV_RUN_ONCE);
    }
    assert_int_equal(a.last_id, 299);
    assert_int_equal(b.last_id, 299);
    assert_int_equal(a.bytes, 300 * (IPC_DATA_BYTES + 5));
    close_owner(&b);
    end(&a);
}

/* ---- close ---- */

static void close_tells_later_and_then_nothing_more_comes(void **state)
{
    (void)state;
    struct owner owner;
    begin(&owner, 1 << 20);
    write_pings(&owner, 5);
    ipc_channel_close(&owner.channel);
    assert_int_equal(owner.closed, 0);
    ipc_channel_close(&owner.channel);
    turn();
    assert_int_equal(owner.closed, 1);
    assert_int_equal(owner.frames, 0);
    assert_int_equal(owner.ends, 0);
    assert_int_equal(ipc_channel_send(&owner.channel, IPC_PING, 0, NULL), 0);
    end(&owner);
}

static void close_within_a_frame_stops_those_behind_it(void **state)
{
    (void)state;
    struct owner owner;
    begin(&owner, 1 << 20);
    owner.close_after = 3;
    write_pings(&owner, 10);
    turn();
    assert_int_equal(owner.frames, 3);
    assert_int_equal(owner.ends, 0);
    end(&owner);
}

static void a_last_word_before_close_still_leaves(void **state)
{
    (void)state;
    struct ipc_error error = { .name = IPC_TEXT("draining") };
    char piece[200];
    struct owner owner;
    begin(&owner, 1 << 20);
    ipc_channel_send(&owner.channel, IPC_ERROR, 0, &error);
    ipc_channel_close(&owner.channel);
    assert_true(read_far(&owner, piece, sizeof piece) > 10);
    turn();
    assert_int_equal(read_far(&owner, piece, sizeof piece), 0);
    end(&owner);
}

static void a_channel_closed_while_it_waits_to_be_written_is_forgotten(void **state)
{
    (void)state;
    struct owner owners[5];
    begin(&owners[0], 1 << 20);
    for (int i = 1; i < 5; i++)
        open_owner(&owners[i], SOCK_STREAM, 1 << 20);
    for (int i = 0; i < 5; i++)
        send_pings(&owners[i], 1);
    close_owner(&owners[2]);
    close_owner(&owners[4]);
    turn();
    assert_int_equal(owners[1].sents, 1);
    assert_int_equal(owners[3].sents, 1);
    close_owner(&owners[1]);
    close_owner(&owners[3]);
    end(&owners[0]);
}

static void a_descriptor_that_can_not_be_polled_is_refused_and_closed(void **state)
{
    (void)state;
    struct owner owner, refused;
    begin(&owner, 1 << 20);
    FILE *file = tmpfile();
    int fd = dup(fileno(file));
    fclose(file);
    assert_true(ipc_channel_open(&refused.channel, &hub, fd, IPC_CLIENT, 100, &calls, &refused) < 0);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    end(&owner);
}

/* ---- descriptors ---- */

static void write_descriptors(struct owner *owner, const void *bytes, size_t length, const int *fds,
                              size_t count)
{
    union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(int) * 32)]; } control;
    struct iovec iovec = { (void *)(uintptr_t)bytes, length };
    struct msghdr message = { .msg_iov = &iovec, .msg_iovlen = 1, .msg_control = control.bytes,
                              .msg_controllen = CMSG_SPACE(sizeof(int) * count) };
    memset(&control, 0, sizeof control);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
                                .cmsg_len = CMSG_LEN(sizeof(int) * count) };
    memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
    assert_int_equal(sendmsg(owner->far, &message, 0), length);
}

static const char ping_frame[] = "\0\0\0\x04\x93\x03\x00\x80";

/* `count` descriptors, each of a file that holds its number. */
static void make_files(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        FILE *file = tmpfile();
        assert_non_null(file);
        fds[i] = dup(fileno(file));
        fclose(file);
        char digit = (char)('a' + i);
        assert_int_equal(pwrite(fds[i], &digit, 1, 0), 1);
    }
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static void descriptors_come_along_oldest_first_and_are_the_takers(void **state)
{
    (void)state;
    struct owner owner;
    int fds[3];
    begin(&owner, 1 << 20);
    make_files(fds, 3);
    write_descriptors(&owner, ping_frame, 8, fds, 1);
    write_descriptors(&owner, ping_frame, 8, fds + 1, 2);
    turn();
    assert_int_equal(owner.frames, 2);
    for (int i = 0; i < 3; i++) {
        char digit;
        int fd = ipc_channel_take_descriptor(&owner.channel);
        assert_true(fd >= 0);
        assert_int_equal(pread(fd, &digit, 1, 0), 1);
        assert_int_equal(digit, 'a' + i);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        close(fd);
    }
    assert_int_equal(ipc_channel_take_descriptor(&owner.channel), -1);
    close_all(fds, 3);
    end(&owner);
}

/* The runner counts descriptors: none of these may stay open. */
/* Between two of these channels, among so much else that no write takes it all. */
static void descriptors_leave_with_their_own_frame(void **state)
{
    (void)state;
    struct owner owner;
    union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(int))]; } control;
    static char bytes[1 << 20];
    int fds[3];
    unsigned found = 0;
    size_t at = 0;
    begin(&owner, 8 << 20);
    make_files(fds, 3);
    for (int i = 0; i < 3; i++) {
        struct ipc_ping ping = { .token = 1000 + (uint64_t)i };
        ipc_channel_send_data(&owner.channel, 7, bytes, 60000);
        assert_int_equal(ipc_channel_send_descriptor(&owner.channel, IPC_PING, 0, &ping, fds[i]), 0);
        ipc_channel_send_data(&owner.channel, 7, bytes, 60000);
    }
    while (found < 3 || at < 6 * 60000) {
        struct iovec iovec = { bytes + at, sizeof bytes - at };
        struct msghdr message = { .msg_iov = &iovec, .msg_iovlen = 1, .msg_control = control.bytes,
                                  .msg_controllen = sizeof control.bytes };
        turn();
        ssize_t got = recvmsg(owner.far, &message, MSG_DONTWAIT);
        if (got < 0)
            continue;
        at += (size_t)got;
        if (!CMSG_FIRSTHDR(&message))
            continue;
        int fd;
        char number[8] = "";
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
        assert_true(pread(fd, number, 1, 0) == 1);
        assert_int_equal(number[0] - 'a', found);
        close(fd);
        found++;
        /* Its frame has begun by then: all of the data before it is there. */
        assert_true(at > (2 * found - 1) * 60000);
    }
    end(&owner);
}

static void descriptors_that_nobody_takes_are_closed_with_the_channel(void **state)
{
    (void)state;
    struct owner owner;
    int fds[3];
    begin(&owner, 1 << 20);
    make_files(fds, 3);
    write_descriptors(&owner, ping_frame, 8, fds, 3);
    turn();
    assert_int_equal(owner.channel.descriptor_count, 3);
    close_all(fds, 3);
    end(&owner);
}

static void descriptors_above_eight_are_closed_at_once(void **state)
{
    (void)state;
    struct owner owner;
    int fds[20];
    begin(&owner, 1 << 20);
    make_files(fds, 20);
    unsigned before = unit_descriptors();
    write_descriptors(&owner, ping_frame, 8, fds, 20);
    write_descriptors(&owner, ping_frame, 8, fds, 7);
    turn();
    assert_int_equal(owner.frames, 2);
    assert_int_equal(unit_descriptors(), before + 8);
    close_all(fds, 20);
    end(&owner);
}

UV_TESTS(TEST(frames_in_one_piece_arrive_one_by_one_in_order),
         TEST(a_frame_fed_byte_by_byte_arrives_once_and_whole),
           TEST(large_frames_in_any_pieces_arrive_whole), TEST(frames_across_the_edges_of_reads_arrive_whole),
           TEST(an_oversize_length_ends_the_channel_before_its_bytes_come),
           TEST(a_malformed_frame_ends_the_channel_and_nothing_behind_it_arrives),
           TEST(a_peer_that_closes_is_an_orderly_end_behind_all_it_said),
           TEST(a_peer_that_dies_with_something_unread_is_heard_to_its_last_word),
           TEST(a_paused_channel_reads_nothing_and_loses_nothing), TEST(a_pause_from_within_a_frame_is_kept), TEST(what_came_with_the_frame_that_paused_waits_too),
           TEST(what_is_sent_in_one_turn_leaves_with_one_write),
           TEST(what_exceeds_the_limit_is_refused_and_the_rest_arrives), TEST(flush_writes_before_it_returns),
           TEST(a_slow_reader_gets_every_byte_in_order),
           TEST(a_peer_that_is_gone_ends_the_channel_once_whoever_notices_first),
           TEST(two_channels_exchange_megabytes_both_ways),
           TEST(close_tells_later_and_then_nothing_more_comes),
           TEST(close_within_a_frame_stops_those_behind_it), TEST(a_last_word_before_close_still_leaves),
           TEST(a_channel_closed_while_it_waits_to_be_written_is_forgotten),
           TEST(a_descriptor_that_can_not_be_polled_is_refused_and_closed),
           TEST(descriptors_come_along_oldest_first_and_are_the_takers),
           TEST(descriptors_leave_with_their_own_frame), TEST(descriptors_that_nobody_takes_are_closed_with_the_channel),
           TEST(descriptors_above_eight_are_closed_at_once))
