/* worker/stream_linux.c: what libcurl reads and writes of a shared connection, over a real socket. */
#include "worker/stream.h"
#include "worker/watch.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct stream stream;
static int ours, peer;
static unsigned noted;

/* watch.c's part. */
struct stream *watches_stream(curl_socket_t fd)
{
    return fd == ours && stream.shared ? &stream : NULL;
}

void watches_note_stream(curl_socket_t fd)
{
    assert_int_equal(fd, ours);
    noted++;
}

static void begin(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    ours = pair[0];
    peer = pair[1];
    noted = 0;
    stream = (struct stream){ .shared = true };
}

static void end(void)
{
    stream_finish(&stream);
    close(ours);
    close(peer);
}

/* As libcurl calls them. */
static ssize_t get(char *place, size_t length)
{
    return recv(ours, place, length, 0);
}

static void expect(const char *text)
{
    char place[64];
    size_t length = strlen(text);
    assert_int_equal(get(place, length), length);
    assert_memory_equal(place, text, length);
}

static void tell(const char *text)
{
    assert_int_equal(write(peer, text, strlen(text)), strlen(text));
}

static void a_head_brings_along_what_has_come(void **state)
{
    (void)state;
    begin();
    tell("head1body1head2");
    expect("head1");
    assert_true(stream_has_input(&stream));
    assert_int_equal(recv(peer, (char[1]){ 0 }, 1, 0), -1);
    expect("body1");
    expect("head2");
    assert_false(stream_has_input(&stream));
    end();
}

static void an_empty_socket_is_asked_once_a_turn(void **state)
{
    (void)state;
    char place[5];
    begin();
    assert_int_equal(get(place, 5), -1);
    assert_int_equal(noted, 1);
    tell("head1");
    assert_int_equal(get(place, 5), -1);
    assert_int_equal(errno, EAGAIN);
    stream.empty = false;   /* as watch.c does it before the loop sleeps */
    expect("head1");
    end();
}

static void the_end_is_heard_behind_what_came_before_it(void **state)
{
    (void)state;
    begin();
    tell("head1body1");
    shutdown(peer, SHUT_WR);
    expect("head1");
    expect("body1");
    char place[5];
    assert_int_equal(get(place, 5), 0);
    assert_int_equal(get(place, 5), 0);
    end();
}

static void peeking_sees_the_kernel_alone(void **state)
{
    (void)state;
    char place[5];
    begin();
    tell("head1");
    assert_int_equal(recv(ours, place, 5, MSG_PEEK), 5);
    assert_false(stream_has_input(&stream));
    expect("head1");
    end();
}

static void what_was_read_ahead_counts_as_input(void **state)
{
    (void)state;
    begin();
    struct pollfd asked = { .fd = ours, .events = POLLIN };
    tell("head1body1");
    assert_false(stream_answers_poll(&asked, 1));
    expect("head1");
    assert_true(stream_answers_poll(&asked, 1));
    assert_int_equal(asked.revents, POLLIN);
    expect("body1");
    assert_false(stream_answers_poll(&asked, 1));
    end();
}

static void what_is_sent_leaves_together(void **state)
{
    (void)state;
    char place[16];
    begin();
    assert_int_equal(send(ours, "one", 3, MSG_NOSIGNAL), 3);
    assert_int_equal(send(ours, "two", 3, MSG_NOSIGNAL), 3);
    assert_int_equal(noted, 2);
    assert_int_equal(recv(peer, place, sizeof place, 0), -1);
    stream_flush(&stream, ours);
    assert_int_equal(recv(peer, place, sizeof place, 0), 6);
    assert_memory_equal(place, "onetwo", 6);
    end();
}

static void a_large_piece_leaves_at_once_behind_what_waits(void **state)
{
    (void)state;
    static char large[STREAM_BYTES + 1], place[STREAM_BYTES + 16];
    memset(large, 'x', sizeof large);
    begin();
    assert_int_equal(send(ours, "one", 3, MSG_NOSIGNAL), 3);
    assert_int_equal(send(ours, large, sizeof large, MSG_NOSIGNAL), sizeof large);
    assert_int_equal(recv(peer, place, sizeof place, 0), 3 + sizeof large);
    assert_memory_equal(place, "onexxx", 6);
    end();
}

/* Writes until the socket is full and the stream keeps what did not fit. Returns how much was taken. */
static size_t fill(void)
{
    static const char piece[4096] = "";
    size_t taken = 0;
    for (;;) {
        ssize_t sent = send(ours, piece, sizeof piece, MSG_NOSIGNAL);
        if (sent < 0)
            break;
        taken += (size_t)sent;
    }
    assert_int_equal(errno, EAGAIN);
    return taken;
}

static void a_full_socket_refuses_and_loses_nothing(void **state)
{
    (void)state;
    static char place[65536];
    begin();
    size_t taken = fill(), came = 0;
    assert_true(stream.blocked);
    for (unsigned turn = 0; turn < 1000 && came < taken; turn++) {
        ssize_t got = recv(peer, place, sizeof place, 0);
        came += got > 0 ? (size_t)got : 0;
        stream_flush(&stream, ours);
    }
    assert_int_equal(came, taken);
    assert_false(stream.blocked);
    end();
}

static void a_broken_connection_is_told_with_the_next_write(void **state)
{
    (void)state;
    begin();
    assert_int_equal(send(ours, "one", 3, MSG_NOSIGNAL), 3);
    close(peer);
    stream_flush(&stream, ours);
    assert_int_equal(send(ours, "two", 3, MSG_NOSIGNAL), -1);
    assert_int_equal(errno, EPIPE);
    end();
}

static void other_sockets_are_left_alone(void **state)
{
    (void)state;
    char place[16];
    begin();
    stream.shared = false;
    tell("head1body1");
    expect("head1");
    assert_int_equal(recv(ours, place, sizeof place, MSG_PEEK), 5);
    assert_int_equal(send(ours, "one", 3, MSG_NOSIGNAL), 3);
    assert_int_equal(recv(peer, place, sizeof place, 0), 3);
    end();
}

UNIT_TESTS(TEST(a_head_brings_along_what_has_come),
           TEST(an_empty_socket_is_asked_once_a_turn),
           TEST(the_end_is_heard_behind_what_came_before_it),
           TEST(peeking_sees_the_kernel_alone),
           TEST(what_was_read_ahead_counts_as_input),
           TEST(what_is_sent_leaves_together),
           TEST(a_large_piece_leaves_at_once_behind_what_waits),
           TEST(a_full_socket_refuses_and_loses_nothing),
           TEST(a_broken_connection_is_told_with_the_next_write),
           TEST(other_sockets_are_left_alone))
