/* wswriter.c: what a WebSocket client sends (RFC 6455, section 5). */
#include "worker/wswriter.h"

#include "ipc/credit.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT (256 * 1024)

static uint8_t next_random;

/* No two masks alike. */
static void count_up(void *place, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)place)[i] = ++next_random;
}

static struct wswriter writer;
static int64_t given_back;

static void begin(void)
{
    given_back = 0;
    wswriter_init(&writer, LIMIT, count_up);
}

/* What reached the peer. */
struct peer { uint8_t bytes[512 * 1024]; size_t length; };
static struct peer peer;

/* Sends up to `bytes` of one offer, as a socket would. Returns how many. */
static size_t send(size_t bytes)
{
    struct ipc_bytes offer = wswriter_offer(&writer);
    size_t sent = offer.length < bytes ? offer.length : bytes;
    if (sent == 0)
        return 0;
    memcpy(peer.bytes + peer.length, offer.data, sent);
    peer.length += sent;
    given_back += wswriter_sent(&writer, sent);
    return sent;
}

static void send_all(void)
{
    while (send(SIZE_MAX) > 0)
        continue;
}

/* The frames at the peer, unmasked, as text: "81'Hello'", each after the other. Checks what the
 * standard wants of each: masked, the shortest length. */
static char *frames(void)
{
    static char text[8192];
    size_t at = 0, used = 0;
    text[0] = '\0';
    while (at < peer.length) {
        const uint8_t *head = peer.bytes + at;
        size_t length = head[1] & 0x7f, size = 2;
        assert_true(head[1] & 0x80);
        if (length == 126) {
            length = (size_t)head[2] << 8 | head[3];
            size = 4;
            assert_true(length > 125);
        } else if (length == 127) {
            length = 0;
            for (int i = 0; i < 8; i++)
                length = length << 8 | head[2 + i];
            size = 10;
            assert_true(length > 65535);
        }
        assert_true(at + size + 4 + length <= peer.length);
        used += (size_t)snprintf(text + used, sizeof text - used, "%02x", head[0]);
        if (length > 100)
            used += (size_t)snprintf(text + used, sizeof text - used, "(%zu)", length);
        else
            text[used++] = '\'';
        for (size_t i = 0; length <= 100 && i < length; i++)
            text[used++] = (char)(head[size + 4 + i] ^ head[size + i % 4]);
        if (length <= 100)
            text[used++] = '\'';
        text[used] = '\0';
        at += size + 4 + length;
    }
    return text;
}

static struct ipc_message make(unsigned kind, const char *data, bool more)
{
    struct ipc_bytes bytes = { (const uint8_t *)data, strlen(data) };
    return (struct ipc_message){ .kind = kind, .more = more, .data = bytes };
}

static void say(unsigned kind, const char *data, bool more)
{
    struct ipc_message message = make(kind, data, more);
    const char *problem = NULL;
    assert_int_equal(wswriter_message(&writer, &message, &problem), IPC_ERROR_NONE);
}

static void say_large(unsigned kind, size_t length, bool more)
{
    uint8_t *data = calloc(1, length);
    struct ipc_message message = { .kind = kind, .more = more, .data = { data, length } };
    const char *problem = NULL;
    assert_int_equal(wswriter_message(&writer, &message, &problem), IPC_ERROR_NONE);
    free(data);
}

static void refuse(struct ipc_message message)
{
    const char *problem = NULL;
    assert_int_equal(wswriter_message(&writer, &message, &problem), IPC_ERROR_REQUEST_INVALID);
    assert_non_null(problem);
}

/* ---- frames ---- */

static void messages_are_masked_frames_with_the_shortest_length(void **state)
{
    (void)state;
    begin();
    say(WS_TEXT, "Hello", false);
    say(WS_BINARY, "", false);
    static const size_t lengths[] = { 125, 126, 65535, 65536 };
    for (size_t i = 0; i < 4; i++)
        say_large(WS_BINARY, lengths[i], false);
    send_all();
    assert_string_equal(frames(), "81'Hello'82''82(125)82(126)82(65535)82(65536)");
    wswriter_finish(&writer);
}

static void every_frame_has_a_mask_of_its_own(void **state)
{
    (void)state;
    begin();
    say(WS_TEXT, "same", false);
    say(WS_TEXT, "same", false);
    send_all();
    assert_int_equal(peer.length, 20);
    assert_memory_not_equal(peer.bytes + 2, peer.bytes + 12, 4);
    assert_memory_not_equal(peer.bytes + 6, peer.bytes + 16, 4);
    wswriter_finish(&writer);
}

static void payloads_of_every_length_and_alignment_are_masked_right(void **state)
{
    (void)state;
    char data[100];
    for (size_t length = 0; length < sizeof data; length++) {
        begin();
        peer.length = 0;
        for (size_t i = 0; i < length; i++)
            data[i] = (char)('a' + i % 26);
        data[length] = '\0';
        say(WS_TEXT, data, false);
        send_all();
        char expected[120];
        snprintf(expected, sizeof expected, "81'%s'", data);
        assert_string_equal(frames(), expected);
        wswriter_finish(&writer);
    }
}

static void pieces_are_fragments_and_control_frames_may_stand_between(void **state)
{
    (void)state;
    begin();
    say(WS_TEXT, "a", true);
    say(WS_PING, "p", false);
    say(WS_TEXT, "", true);
    say(WS_PONG, "o", false);
    say(WS_TEXT, "b", false);
    say(WS_BINARY, "c", false);
    send_all();
    assert_string_equal(frames(), "01'a'89'p'00''8a'o'80'b'82'c'");
    wswriter_finish(&writer);
}

static void a_close_has_code_and_reason_or_neither(void **state)
{
    (void)state;
    struct ipc_message message = make(WS_CLOSE, "bye", false);
    const char *problem;
    begin();
    message.code = 1000;
    assert_int_equal(wswriter_message(&writer, &message, &problem), IPC_ERROR_NONE);
    send_all();
    assert_string_equal(frames(), "88'\x03\xe8" "bye'");
    wswriter_finish(&writer);
    begin();
    peer.length = 0;
    say(WS_CLOSE, "", false);
    send_all();
    assert_string_equal(frames(), "88''");
    wswriter_finish(&writer);
}

static void nothing_follows_a_close_but_pongs(void **state)
{
    (void)state;
    begin();
    say(WS_CLOSE, "", false);
    say(WS_TEXT, "late", false);
    say(WS_CLOSE, "", false);
    send_all();
    wswriter_pong(&writer, (struct ipc_bytes){ (const uint8_t *)"p", 1 });
    send_all();
    assert_string_equal(frames(), "88''8a'p'");
    wswriter_finish(&writer);
}

/* ---- what a client may not say ---- */

static void messages_that_can_not_be_sent_are_refused(void **state)
{
    (void)state;
    char large[200];
    memset(large, 'x', sizeof large);
    large[126] = '\0';
    begin();
    static const unsigned kinds[] = { 0, 3, 7, 11, 15 };
    for (size_t i = 0; i < 5; i++)
        refuse(make(kinds[i], "", false));
    refuse(make(WS_PING, large, false));
    refuse(make(WS_PONG, "", true));
    refuse(make(WS_CLOSE, "reason without a code", false));
    refuse(make(WS_TEXT, "\xc3", false));
    refuse(make(WS_TEXT, "\xff", true));
    struct ipc_message message = make(WS_CLOSE, "", false);
    static const unsigned codes[] = { 1, 999, 1004, 1005, 1006, 1015, 2000, 5000 };
    for (size_t i = 0; i < 8; i++) {
        message.code = codes[i];
        refuse(message);
    }
    message = make(WS_CLOSE, "\xff", false);
    message.code = 1000;
    refuse(message);
    message = make(WS_CLOSE, large, false);
    message.code = 1000;
    refuse(message);
    message = make(WS_TEXT, "", false);
    message.code = 1000;
    refuse(message);
    assert_int_equal(wswriter_offer(&writer).length, 0);
    say(WS_TEXT, "a", true);
    refuse(make(WS_BINARY, "b", false));
    wswriter_finish(&writer);
}

static void a_text_in_pieces_may_split_a_character_but_not_end_within(void **state)
{
    (void)state;
    begin();
    say(WS_TEXT, "\xe2\x82", true);
    refuse(make(WS_TEXT, "", false));
    say(WS_TEXT, "\xac", false);
    send_all();
    assert_string_equal(frames(), "01'\xe2\x82'80'\xac'");
    wswriter_finish(&writer);
}

/* ---- the order of things ---- */

static void a_pong_passes_messages_that_wait_but_no_frame_that_has_begun(void **state)
{
    (void)state;
    begin();
    say(WS_TEXT, "first", false);
    say(WS_TEXT, "second", false);
    assert_int_equal(send(7), 7);
    wswriter_pong(&writer, (struct ipc_bytes){ (const uint8_t *)"p", 1 });
    send_all();
    assert_string_equal(frames(), "81'first'8a'p'81'second'");
    wswriter_finish(&writer);
}

static void only_the_newest_pong_and_ping_are_sent(void **state)
{
    (void)state;
    begin();
    for (char c = 'a'; c <= 'c'; c++) {
        wswriter_pong(&writer, (struct ipc_bytes){ (const uint8_t *)&c, 1 });
        wswriter_ping(&writer, (struct ipc_bytes){ (const uint8_t *)&c, 1 });
    }
    assert_true(wswriter_ping_waits(&writer));
    send_all();
    assert_false(wswriter_ping_waits(&writer));
    assert_string_equal(frames(), "8a'c'89'c'");
    wswriter_finish(&writer);
}

static void a_pong_that_is_half_out_is_ended_before_the_next(void **state)
{
    (void)state;
    begin();
    wswriter_pong(&writer, (struct ipc_bytes){ (const uint8_t *)"one", 3 });
    assert_int_equal(send(4), 4);
    wswriter_pong(&writer, (struct ipc_bytes){ (const uint8_t *)"two", 3 });
    say(WS_TEXT, "x", false);
    send_all();
    assert_string_equal(frames(), "8a'one'8a'two'81'x'");
    wswriter_finish(&writer);
}

/* TLS has encrypted it already. */
static void a_blocked_offer_is_made_again_with_the_same_bytes(void **state)
{
    (void)state;
    begin();
    say(WS_TEXT, "first", false);
    say(WS_TEXT, "second", false);
    struct ipc_bytes offer = wswriter_offer(&writer);
    uint8_t copy[64];
    size_t length = offer.length;
    assert_int_equal(length, 2 * 6 + 11);
    memcpy(copy, offer.data, length);
    wswriter_blocked(&writer);
    wswriter_pong(&writer, (struct ipc_bytes){ (const uint8_t *)"p", 1 });
    say_large(WS_BINARY, 60000, false);   /* moves what waits in memory */
    offer = wswriter_offer(&writer);
    assert_int_equal(offer.length, length);
    assert_memory_equal(offer.data, copy, length);
    send_all();
    assert_string_equal(frames(), "81'first'81'second'8a'p'82(60000)");
    wswriter_finish(&writer);
}

static void an_offer_ends_with_a_frame_and_is_bounded(void **state)
{
    (void)state;
    begin();
    say_large(WS_BINARY, 40000, false);
    say_large(WS_BINARY, 40000, false);
    say_large(WS_BINARY, 65536, false);
    assert_int_equal(send(SIZE_MAX), 40008);
    assert_int_equal(send(SIZE_MAX), 40008);
    assert_int_equal(send(SIZE_MAX), 65550);
    assert_int_equal(send(SIZE_MAX), 0);
    wswriter_finish(&writer);
}

static void a_close_at_once_drops_what_has_not_begun(void **state)
{
    (void)state;
    begin();
    say(WS_TEXT, "first", false);
    say(WS_TEXT, "second", false);
    say(WS_CLOSE, "", false);
    assert_int_equal(send(3), 3);
    wswriter_close(&writer, 1002, (struct ipc_bytes){ (const uint8_t *)"why", 3 }, true);
    send_all();
    assert_string_equal(frames(), "81'first'88'\x03\xea" "why'");
    wswriter_close(&writer, 1002, (struct ipc_bytes){ NULL, 0 }, true);
    assert_int_equal(wswriter_offer(&writer).length, 0);
    wswriter_finish(&writer);
}

static void a_close_at_once_keeps_what_is_blocked(void **state)
{
    (void)state;
    begin();
    say(WS_TEXT, "first", false);
    size_t length = wswriter_offer(&writer).length;
    wswriter_blocked(&writer);
    say(WS_TEXT, "second", false);
    wswriter_close(&writer, 1002, (struct ipc_bytes){ NULL, 0 }, true);
    assert_int_equal(wswriter_offer(&writer).length, length);
    send_all();
    assert_string_equal(frames(), "81'first'88'\x03\xea'");
    wswriter_finish(&writer);
}

/* ---- credit ---- */

static void credit_comes_back_when_a_whole_frame_is_out(void **state)
{
    (void)state;
    begin();
    say_large(WS_BINARY, 1000, false);
    say(WS_PING, "p", false);
    say(WS_TEXT, "", false);
    send(1007);
    assert_int_equal(given_back, 0);
    send(1);
    assert_int_equal(given_back, ipc_credit_cost(1000));
    send_all();
    assert_int_equal(given_back, ipc_credit_cost(1000) + ipc_credit_cost(1) + ipc_credit_cost(0));
    wswriter_finish(&writer);
}

static void all_credit_comes_back_for_any_cut_of_any_lengths(void **state)
{
    (void)state;
    static const size_t lengths[] = { 0, 1, 125, 126, 127, 65535, 65536, 3 };
    for (size_t cut = 1; cut < 70000; cut = cut * 3 + 1) {
        int64_t paid = 0;
        begin();
        peer.length = 0;
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            say_large(WS_BINARY, lengths[i], false);
            paid += ipc_credit_cost(lengths[i]);
            wswriter_pong(&writer, (struct ipc_bytes){ (const uint8_t *)"p", 1 });
        }
        while (send(cut) > 0)
            continue;
        assert_int_equal(given_back, paid);
        assert_int_equal(writer.sent_bytes, writer.queued_bytes);
        wswriter_finish(&writer);
    }
}

static void our_own_frames_give_no_credit(void **state)
{
    (void)state;
    begin();
    wswriter_pong(&writer, (struct ipc_bytes){ NULL, 0 });
    wswriter_ping(&writer, (struct ipc_bytes){ NULL, 0 });
    wswriter_close(&writer, 1001, (struct ipc_bytes){ NULL, 0 }, false);
    send_all();
    assert_string_equal(frames(), "8a''89''88'\x03\xe9'");
    assert_int_equal(given_back, 0);
    wswriter_finish(&writer);
}

/* A window full of the dearest frames, and a close behind it. */
static void a_window_of_messages_and_a_close_fit(void **state)
{
    (void)state;
    begin();
    for (int64_t credit = LIMIT; credit >= ipc_credit_cost(0); credit -= ipc_credit_cost(0))
        say(WS_BINARY, "", false);
    char reason[WS_REASON_BYTES + 1];
    memset(reason, 'r', sizeof reason);
    wswriter_close(&writer, 1000, (struct ipc_bytes){ (const uint8_t *)reason, WS_REASON_BYTES }, false);
    assert_true(writer.closed);
    wswriter_finish(&writer);
    begin();
    for (int i = 0; i < 3; i++)
        say_large(WS_BINARY, 65536, false);
    say_large(WS_BINARY, LIMIT - 3 * (65536 + 64) - 64, false);
    wswriter_close(&writer, 1000, (struct ipc_bytes){ (const uint8_t *)reason, WS_REASON_BYTES }, false);
    send_all();
    assert_non_null(strstr(frames(), "88(125)"));
    wswriter_finish(&writer);
}

UNIT_TESTS(TEST(messages_are_masked_frames_with_the_shortest_length), TEST(every_frame_has_a_mask_of_its_own),
           TEST(payloads_of_every_length_and_alignment_are_masked_right),
           TEST(pieces_are_fragments_and_control_frames_may_stand_between),
           TEST(a_close_has_code_and_reason_or_neither), TEST(nothing_follows_a_close_but_pongs),
           TEST(messages_that_can_not_be_sent_are_refused),
           TEST(a_text_in_pieces_may_split_a_character_but_not_end_within),
           TEST(a_pong_passes_messages_that_wait_but_no_frame_that_has_begun),
           TEST(only_the_newest_pong_and_ping_are_sent),
           TEST(a_pong_that_is_half_out_is_ended_before_the_next),
           TEST(a_blocked_offer_is_made_again_with_the_same_bytes),
           TEST(an_offer_ends_with_a_frame_and_is_bounded),
           TEST(a_close_at_once_drops_what_has_not_begun), TEST(a_close_at_once_keeps_what_is_blocked),
           TEST(credit_comes_back_when_a_whole_frame_is_out),
           TEST(all_credit_comes_back_for_any_cut_of_any_lengths), TEST(our_own_frames_give_no_credit),
           TEST(a_window_of_messages_and_a_close_fit))
