/* A daemon in this process for tests of its parts: its workers are idle processes whose channel's
 * other end the test holds, its clients are socketpairs. What is said goes through real channels,
 * and deaths are real ones. No listener; timers only where a test starts them. */
#ifndef UNIT_STAGE_H
#define UNIT_STAGE_H

#include "daemon/daemon.h"
#include "daemon/request.h"
#include "daemon/session.h"
#include "daemon/supervisor.h"

#include "unit.h"

#include <sys/types.h>

/* One end of a channel, the test's. */
struct wire {
    int fd;                     /* -1: closed */
    enum ipc_speaker speaker;   /* as whom the test speaks there */
    struct ipc_buffer in;
    size_t taken;               /* of `in`, by the frame that was read last */
    int descriptor;             /* the last one that came along; 0 for none */
    bool ended;
};

struct stage_worker { struct wire wire; pid_t pid; };

#define STAGE_WORKERS 64
#define STAGE_CLIENTS 16

struct stage {
    struct daemon *daemon;
    struct stage_worker workers[STAGE_WORKERS];   /* every process, in order of birth */
    unsigned worker_count;
    struct wire clients[STAGE_CLIENTS];
    unsigned client_count;
    int refuse_spawns;          /* so many of the next ones fail, with a handle to close */
    struct ipc_decoder decoder;
};

extern struct stage stage;

/* A daemon whose seats wait for stage_start; settings as "section.key=value", ended by NULL. */
void stage_begin(unsigned seats, ...) __attribute__((sentinel));
void stage_start(void);         /* spawns the crew */
void stage_end(void);

/* Turns the loop until `condition` holds; a test that waits in vain is ended by the runner. */
#define stage_until(condition)                  \
    do {                                        \
        for (int turn_ = 0; !(condition); turn_++) \
            stage_step(turn_ > 1);              \
    } while (0)
void stage_step(bool waits);    /* one turn; `waits` a moment for something to happen first */
void stage_turn(void);          /* until nothing is left to do now */

struct supervisor *stage_seat(unsigned number);
struct stage_worker *stage_newest(void);
void stage_make_ready(struct stage_worker *worker);   /* takes SETTINGS, says READY */

/* A client that has said HELLO and heard WELCOME. */
struct wire *stage_connect(void);
struct wire *stage_connect_silent(void);
struct session *stage_session(void);                  /* the newest */

void wire_say(struct wire *wire, unsigned number, uint32_t id, const void *message);
void wire_say_descriptor(struct wire *wire, unsigned number, uint32_t id, int fd);   /* without fields; `fd` is closed */
int wire_take_descriptor(struct wire *wire);          /* the last one that came, now the test's */
void wire_say_data(struct wire *wire, uint32_t id, const void *data, size_t length);
void wire_say_bytes(struct wire *wire, const void *bytes, size_t length);
void wire_say_credit(struct wire *wire, uint32_t id, uint64_t bytes);
void wire_close(struct wire *wire);

/* The next frame that has arrived, without turning the loop; false for none. It lives until the
 * next call. */
bool wire_next(struct wire *wire, struct ipc_frame *ret_frame);

/* Turns the loop until a frame comes, which must be this one, and decodes it; `ret_message` may be
 * NULL. BEATs and such are not skipped: a test's worker is told nothing unasked. */
struct ipc_frame wire_expect(struct wire *wire, unsigned number, uint32_t id, union ipc_any *ret_message);
struct ipc_bytes wire_expect_data(struct wire *wire, uint32_t id);
void wire_expect_end(struct wire *wire);
void wire_expect_nothing(struct wire *wire);          /* all that was said has been answered */

/* Names of the frames that come until all that was said has been answered, "RESPONSE DATA"; "ended"
 * when the other side closed. */
void wire_names(struct wire *wire, char *ret_names, size_t size);

#endif
