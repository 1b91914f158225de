/* One WebSocket: what becomes of a transfer when its origin answers 101.
 *
 * libcurl makes the connection and the handshake (CONNECT_ONLY=2) and carries the bytes from then on
 * (curl_easy_send and curl_easy_recv, through its TLS and proxies); the frames in them are read and
 * written by wsreader and wswriter. Its own curl_ws_recv and curl_ws_send would mask byte by byte, hold
 * up to 256 KiB a socket in two queues, and tell a broken frame from a broken connection by an English
 * sentence alone.
 *
 * What was received is read until there is no more, and only then the socket is polled: frames that
 * came with the 101, and those that TLS has decrypted, lie where no poll sees them.
 *
 * A client that does not take its messages stops the reading once WEBSOCKET_HELD_BYTES wait for it
 * here; until then pings are still found and answered. Beyond that they can't be, being behind what is
 * not read: the peer's window closes, and a peer that insists on its pong then may drop the client.
 * Deliveries of pings and pongs that find no credit are dropped, not held. */
#ifndef WORKER_WEBSOCKET_H
#define WORKER_WEBSOCKET_H

#include "ipc/message.h"

#include <curl/curl.h>
#include <stdbool.h>

#define WEBSOCKET_HELD_BYTES (64 * 1024)
#define WEBSOCKET_UPLOAD_WINDOW IPC_STREAM_WINDOW   /* what a client may have on its way to the peer */

struct transfer;
struct transfers;
struct websocket;

/* For a transfer that begins; gone with it, by websocket_destroy(). NULL without memory. */
struct websocket *websocket_create(struct transfer *transfer);
void websocket_destroy(struct websocket *websocket);

/* The header lines of a handshake: its own, then `lines`. NULL without memory. */
struct curl_slist *websocket_lines(struct websocket *websocket, struct curl_slist *lines);

/* The head of the answer is whole. False with the transfer doomed when it can't be accepted. */
bool websocket_on_headers(struct websocket *websocket);

/* libcurl is done, and the head of an answer came: the socket is open, or the answer was not 101. */
void websocket_on_curl_done(struct websocket *websocket, CURLcode result);

/* Messages of the daemon. False when it breaks the protocol; *ret_reason says how. */
bool websocket_message(struct transfers *transfers, uint32_t id, const struct ipc_message *message,
                       const char **ret_reason);
void websocket_flush(struct transfers *transfers, uint32_t id, uint64_t token);

/* There may be room for what the client has not got yet. */
void websocket_resume(struct websocket *websocket);

/* The transfer is about to end for a reason that is not the peer's: one try to tell it. */
void websocket_say_goodbye(struct websocket *websocket);

/* The worker goes: all that are open get a close 1001, and those that will be, too. */
void websockets_drain(struct transfers *transfers);

#endif
