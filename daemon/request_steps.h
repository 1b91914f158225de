/* What the files of a request's life (request_*.c) use of each other; nobody else includes it. `request` may be
 * gone after whatever says so. */
#ifndef DAEMON_REQUEST_STEPS_H
#define DAEMON_REQUEST_STEPS_H

#include "request.h"

#include "ipc/error.h"

struct conf;
struct ipc_origin;

/* Of a FETCH: room is left for what is added for a worker, cookies mostly. */
#define REQUEST_FETCH_BYTES (IPC_FRAME_BYTES - 16 * 1024)

/* ---- request_acceptance.c ---- */

bool request_is_idempotent(struct ipc_text method);

/* Of a URL that ipc_origin_parse() has read. */
bool request_has_allowed_scheme(const struct conf *conf, struct ipc_text url);

/* ---- request_kept.c: the FETCH, as it would be sent again ---- */

int request_keep(struct request *request, const uint8_t *body, size_t length);      /* 0, or -1 without memory */
int request_keep_packed(struct request *request, const struct ipc_fetch *fetch);    /* the same */

/* Until the next call. 0, or -1 with the reason in daemon->kept_decoder. */
int request_read_kept(struct request *request, struct ipc_fetch *ret_fetch);

/* ---- request_waiting.c: the queue, the origin's line, the gate ---- */

void request_enter_origin(struct request *request);
void request_leave_origin(struct request *request);
void request_unpark(struct request *request, bool served);
void request_leave_waiting(struct request *request);
void request_queue_again(struct request *request);

/* False: another WebSocket handshake of this user to this origin is under way, and it is told when it is over. */
bool request_pass_gate(struct request *request);
void request_leave_gate(struct request *request);

/* ---- request_placement.c ---- */

/* May destroy it. */
void request_place(struct request *request, struct supervisor *supervisor);

/* ---- request_flow.c ---- */

int64_t request_grant_size(const struct request *request);   /* what the worker may have now beyond what it has */
void request_start_body_over(struct request *request);       /* what the worker granted is void */

void request_forward_data(struct request *request, const struct request_detail *detail);
void request_forward_message(struct request *request, const struct request_detail *detail);
void request_forward_flushed(struct request *request, const struct request_detail *detail);
void request_take_upload_credit(struct request *request, const struct request_detail *detail);
void request_forward_body(struct request *request, const struct request_detail *detail);
void request_forward_tell(struct request *request, const struct request_detail *detail);
void request_forward_flush(struct request *request, const struct request_detail *detail);
void request_forward_output(struct request *request, const struct request_detail *detail);
void request_refuse_output(struct request *request, const struct request_detail *detail);
void request_queued_body(struct request *request, const struct request_detail *detail);
void request_take_credit(struct request *request, const struct request_detail *detail);
void request_rewound(struct request *request, const struct request_detail *detail);

/* ---- request_hop.c ---- */

/* May destroy it. */
void request_follow_hop(struct request *request, const struct request_detail *detail);

/* ---- request_jar.c ---- */

/* The cookies of its session for this URL, as they are just now; borrowed from the jar. `pairs` has room for
 * COOKIES_SENT_MOST. */
struct ipc_pairs request_pick_cookies(struct request *request, struct ipc_text url, struct ipc_pair *pairs);

/* What a worker is told of the session, instead of its name. */
void request_fill_session(struct request *request, struct ipc_fetch *fetch, struct ipc_pair *pairs);

/* What an answer asks the session to remember; the rules are applied here again, to a worker's word. False when
 * that can't be believed: the worker is on its way out then. */
bool request_remember(struct request *request, const struct ipc_cookie *cookies, size_t count,
                      const struct ipc_hsts *hsts);

/* Where a hop leads may want TLS: *ret_url is the URL then, to be freed. -1 without memory. */
int request_upgrade_hop(struct request *request, struct ipc_hop *hop, char **ret_url);

/* ---- request_outcome.c ---- */

void request_note_outcome(struct request *request, bool success);           /* for the origin's breaker */
void request_note_proxy(struct request *request, enum ipc_error_code code);
void request_note_handshake(struct request *request, const struct ipc_done *done);

/* ---- request_retry.c ---- */

/* Nothing reached the client, and either doing it twice is harmless or no byte of it can have left. */
bool request_may_start_over(const struct request *request);

/* False when the time it would have to wait is longer than it may. */
bool request_retry_later(struct request *request, uint64_t at_least_ms);

/* True: it will be tried again, and the client sees nothing of this. */
bool request_retry_answer(struct request *request, const struct ipc_response *response);
bool request_retry_failure(struct request *request, const struct ipc_failure *failure);

/* ---- request_ending.c ---- */

/* DONE for a FETCH that becomes no request. */
void request_refuse(struct session *session, uint32_t id, enum ipc_error_code code, bool retryable,
                    const char *message);

/* Tells the client how it ended; the worker, if there is one, may still owe its own DONE. Then comes one of the
 * two below. */
void request_fail(struct request *request, enum ipc_error_code code, bool retryable, const char *message);
void request_send_done(struct request *request, const struct ipc_done *done);

void request_destroy(struct request *request);
void request_abandon(struct request *request);       /* the worker is told to stop, and its DONE ends it */
void request_leave_worker(struct request *request);  /* it has none any more */
void request_set_retrying(struct request *request, bool retrying);

#endif
