/* The worker's only logger: lines `<N>text` to stderr, N as syslog's, which the daemon relays.
 * Never give it a header value, a query string, a body or a credential. */
#ifndef WORKER_LOG_H
#define WORKER_LOG_H

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(unsigned level);

/* One line; control bytes in it become '?', and what is above 1000 bytes is cut. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(gnu_printf, 2, 3)));

#endif
