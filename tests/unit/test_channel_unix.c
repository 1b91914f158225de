/* channel.c over a socket: one write a turn, and descriptors. */
#include "channel_stage.h"
#include "ipc/channel.h"

#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static void open_packets(struct owner *owner)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
    stage_open_over(owner, pair[0], pair[1], 1 << 20);
}

/* On a socket that keeps the bounds of writes, each read is one write. */
static void what_is_sent_in_one_turn_leaves_with_one_write(void **state)
{
    (void)state;
    static char piece[256 * 1024], payload[20000];
    struct owner owner, packets;
    stage_begin(&owner, 1 << 20);
    open_packets(&packets);
    stage_send_pings(&packets, 100);
    ipc_channel_send_data(&packets.channel, 3, payload, sizeof payload);
    stage_send_pings(&packets, 1);
    size_t queued = ipc_channel_unsent(&packets.channel);
    assert_int_equal(stage_read_far(&packets, piece, sizeof piece), -1);   /* not before the turn ends */
    stage_turn();
    assert_int_equal(stage_read_far(&packets, piece, sizeof piece), queued);
    assert_int_equal(stage_read_far(&packets, piece, sizeof piece), -1);
    assert_int_equal(packets.sents, 1);
    stage_send_pings(&packets, 1);
    stage_turn();
    stage_send_pings(&packets, 1);
    stage_turn();
    assert_true(stage_read_far(&packets, piece, sizeof piece) > 0);
    assert_true(stage_read_far(&packets, piece, sizeof piece) > 0);
    assert_int_equal(stage_read_far(&packets, piece, sizeof piece), -1);
    assert_int_equal(ipc_channel_unsent(&packets.channel), 0);
    stage_close_owner(&packets);
    stage_end(&owner);
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
    assert_int_equal(sendmsg(owner->other, &message, 0), length);
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
    stage_begin(&owner, 1 << 20);
    make_files(fds, 3);
    write_descriptors(&owner, ping_frame, 8, fds, 1);
    write_descriptors(&owner, ping_frame, 8, fds + 1, 2);
    stage_turn();
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
    stage_end(&owner);
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
    stage_begin(&owner, 8 << 20);
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
        stage_turn();
        ssize_t got = recvmsg(owner.other, &message, MSG_DONTWAIT);
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
    stage_end(&owner);
}

static void descriptors_that_nobody_takes_are_closed_with_the_channel(void **state)
{
    (void)state;
    struct owner owner;
    int fds[3];
    stage_begin(&owner, 1 << 20);
    make_files(fds, 3);
    write_descriptors(&owner, ping_frame, 8, fds, 3);
    stage_turn();
    assert_int_equal(owner.channel.descriptor_count, 3);
    close_all(fds, 3);
    stage_end(&owner);
}

static void descriptors_above_eight_are_closed_at_once(void **state)
{
    (void)state;
    struct owner owner;
    int fds[20];
    stage_begin(&owner, 1 << 20);
    make_files(fds, 20);
    unsigned before = unit_descriptors();
    write_descriptors(&owner, ping_frame, 8, fds, 20);
    write_descriptors(&owner, ping_frame, 8, fds, 7);
    stage_turn();
    assert_int_equal(owner.frames, 2);
    assert_int_equal(unit_descriptors(), before + 8);
    close_all(fds, 20);
    stage_end(&owner);
}

UV_TESTS(TEST(what_is_sent_in_one_turn_leaves_with_one_write),
         TEST(descriptors_come_along_oldest_first_and_are_the_takers),
         TEST(descriptors_leave_with_their_own_frame),
         TEST(descriptors_that_nobody_takes_are_closed_with_the_channel),
         TEST(descriptors_above_eight_are_closed_at_once))
