/* The service manager, if there is one: told when we are ready, what we do, when we stop. The
 * platform's half lives in systemd/ or windows-service/; service_none.c is for a plain process,
 * service_signals.c what that one and systemd share. */
#ifndef DAEMON_SERVICE_H
#define DAEMON_SERVICE_H

#include <stdint.h>
#include <uv.h>

/* The whole program: calls `run` with the command line, or with what is left of it when the manager's half
 * understands the rest (fetchd.exe service ...), perhaps in another thread. Returns the exit code. */
int service_run(int argc, char **argv, int (*run)(int argc, char **argv));

/* What --help says of it besides, whole lines; may be empty. */
extern const char service_usage[];

/* What the manager may ask for, called in the loop's thread. */
struct service_calls {
    void (*drain)(void *owner);    /* answer what is open, then stop; a second time: make haste */
    void (*reload)(void *owner);
};

/* Before the loop runs; `calls` and `owner` live until service_close. 0 or a libuv error. Not needed for
 * a manager that sends signals. */
int service_open(uv_loop_t *loop, const struct service_calls *calls, void *owner);

/* Nothing is asked for after this; its handles close in the loop. May come without an open. */
void service_close(void);

void service_ready(const char *status);
void service_status(const char *status);
void service_reloading(void);
void service_stopping(void);

/* The loop turned: feeds the watchdog. */
void service_alive(void);

/* A line of the log, escaped, `level` as in syslog: for a manager that keeps warnings and errors itself. */
void service_log(int level, const char *text);

/* Where all lines go when the manager gives us no stderr: `file`, "" for the manager's choice, begun anew above
 * `limit_bytes`. What goes wrong it tells the manager itself. */
void service_keep_log(const char *file, uint64_t limit_bytes);

/* A listening socket that the manager bound for us; -1 for none. */
int service_inherited_socket(void);

#endif
