/* The service manager, if there is one: told when we are ready, what we do, when we stop. The
 * platform's half lives in systemd/ or windows-service/; service_none.c is for a plain process. */
#ifndef DAEMON_SERVICE_H
#define DAEMON_SERVICE_H

void service_ready(const char *status);
void service_status(const char *status);
void service_reloading(void);
void service_stopping(void);

/* The loop turned: feeds the watchdog. */
void service_alive(void);

/* A listening socket that the manager bound for us; -1 for none. */
int service_inherited_socket(void);

#endif
