/* The only logger. One record a line, to stderr, as text or JSON; foreign text is escaped here.
 * Lines carry their object: log_info("session %u request %u: ...", ...). Never credentials, header
 * values, bodies or query strings. Errors to write are ignored: there is nobody to tell. */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include <stdbool.h>
#include <stddef.h>

/* syslog's numbers, which systemd reads from a "<N>" prefix too. */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_NOTICE = 5, LOG_LEVEL_INFO = 6,
                 LOG_LEVEL_DEBUG = 7 };

/* Looks where stderr goes. The journal keeps time and priority itself: there a line begins with "<N>", and
 * as text has neither time nor level. */
void log_start(void);
bool log_goes_to_journal(const char *stream, int fd);   /* by $JOURNAL_STREAM */

/* May be called again at any time, by a reload. */
void log_configure(enum log_level level, bool json);
bool log_enabled(enum log_level level);

/* `on_line` hears of each line too, with its level and escaped. NULL ends that. */
void log_copy(void (*on_line)(int level, const char *text));

void log_write(enum log_level level, const char *format, ...) __attribute__((format(gnu_printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) do { if (log_enabled(LOG_LEVEL_DEBUG)) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__); } while (0)

#endif
