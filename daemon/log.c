/* The only logger. */
#include "log.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ipc/utf8.h"

#define MESSAGE_BYTES 2048
#define LINE_BYTES (MESSAGE_BYTES * 4 + 128)

static enum log_level least = LOG_LEVEL_INFO;
static bool as_json, in_journal;
static void (*copy)(int level, const char *text);

/* The service manager says which socket the journal listens to; it is ours if stderr is that one. */
bool log_goes_to_journal(const char *stream, int fd)
{
    unsigned long long device, inode;
    struct stat status;
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(fd, &status) == 0
        && (unsigned long long)status.st_dev == device && (unsigned long long)status.st_ino == inode;
}

void log_start(void)
{
    in_journal = log_goes_to_journal(getenv("JOURNAL_STREAM"), STDERR_FILENO);
}

void log_configure(enum log_level level, bool json)
{
    least = level;
    as_json = json;
}

void log_copy(void (*on_line)(int level, const char *text))
{
    copy = on_line;
}

bool log_enabled(enum log_level level)
{
    return level <= least;
}

static const char *level_name(enum log_level level)
{
    static const char *const names[] = { "", "", "", "error", "warning", "notice", "info", "debug" };
    return names[level & 7];
}

/* What a terminal or a parser could take for something else becomes an escape: control characters,
 * those of 0x80 to 0x9f too, and all above ASCII from the first byte on that is not UTF-8. */
static size_t escape(const char *text, char *ret_text, size_t size)
{
    const unsigned char *at = (const unsigned char *)text, *valid_end = at + ipc_utf8_prefix(text, strlen(text));
    size_t used = 0;
    for (; *at && used + 8 < size; at++) {
        bool high_control = at < valid_end && at[0] == 0xc2 && at[1] < 0xa0;
        bool plain = *at >= 0x20 && *at != 0x7f && (*at < 0x80 || at < valid_end) && !high_control;
        at += high_control;
        if (plain && !(as_json && (*at == '"' || *at == '\\')))
            ret_text[used++] = (char)*at;
        else
            used += (size_t)snprintf(ret_text + used, size - used, as_json ? "\\u%04x" : "\\x%02x", *at);
    }
    ret_text[used] = '\0';
    return used;
}

static void timestamp(char *ret_text, size_t size)
{
    struct timespec now;
    struct tm parts;
    char seconds[32];
    clock_gettime(CLOCK_REALTIME, &now);
    time_t time = now.tv_sec;
    gmtime_r(&time, &parts);
    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(ret_text, size, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
}

void log_write(enum log_level level, const char *format, ...)
{
    char message[MESSAGE_BYTES], escaped[LINE_BYTES], time[48];
    if (!log_enabled(level))
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    escape(message, escaped, sizeof escaped);
    timestamp(time, sizeof time);
    if (in_journal)
        fprintf(stderr, "<%d>", (int)level);
    if (in_journal && !as_json)
        fprintf(stderr, "%s\n", escaped);
    else if (as_json)
        fprintf(stderr, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":\"%s\"}\n", time, level_name(level), escaped);
    else
        fprintf(stderr, "%s %-7s %s\n", time, level_name(level), escaped);
    fflush(stderr);   /* not every C library leaves it unbuffered, as it should be */
    if (copy)
        copy((int)level, escaped);
}
