/* Files of cookies. */
#include "cookies.h"

#include "disk.h"
#include "file.h"
#include "memory.h"
#include "say.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_MS 10000

/* curl's rule: what has a = is cookies, all else a file; also one that is not there, or "". */
static bool is_file(const char *cookie)
{
    return !strchr(cookie, '=');
}

char *cookies_header(const struct options *options)
{
    struct text text = { 0 };
    for (size_t i = 0; i < options->cookies.count; i++) {
        if (is_file(options->cookies.items[i]))
            continue;
        text_add_string(&text, text.length ? "; " : "");
        text_add_string(&text, options->cookies.items[i]);
    }
    must_have(!text.failed);
    return text.length ? text_take(&text) : NULL;
}

static int say_failure(const struct fetchd_client *client)
{
    const struct fetchd_error *error = fetchd_last_error(client);
    say("(%d) %s: %s", error->exit_code, error->name, error->message);
    return error->exit_code;
}

/* ---- before ---- */

static bool needs_session(const struct options *options)
{
    bool needs = options->cookie_jar != NULL;
    for (size_t i = 0; i < options->cookies.count; i++)
        needs = needs || is_file(options->cookies.items[i]);
    return needs;
}

/* One that is not there yet is as good as an empty one: -b JAR -c JAR begins with none. */
static int read_file(struct fetchd_client *client, const struct options *options, const char *path)
{
    struct text text = { 0 };
    int code = 0;
    if (file_read(path, &text) < 0 && errno != ENOENT) {
        say("-b %s: %s", path, strerror(errno));
        code = EXIT_READ;
    } else if (text.length > 0 && fetchd_session_import(client, options->session, text.data, text.length,
                                                        options->junk_session, ANSWER_MS) < 0) {
        code = say_failure(client);
    }
    text_finish(&text);
    return code;
}

int cookies_begin(struct fetchd_client *client, struct options *options)
{
    int code = 0;
    if (!needs_session(options))
        return 0;
    if (!options->session) {
        char *name = fetchd_session_create(client, NULL, FETCHD_SESSION_BOUND, ANSWER_MS);
        if (!name)
            return say_failure(client);
        options->session = must_copy(name);
        fetchd_free(name);
    }
    for (size_t i = 0; code == 0 && i < options->cookies.count; i++)
        if (is_file(options->cookies.items[i]) && options->cookies.items[i][0])
            code = read_file(client, options, options->cookies.items[i]);
    return code;
}

/* ---- after ---- */

static int write_all(int fd, const char *text)
{
    for (size_t length = strlen(text); length > 0;) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        text += written;
        length -= (size_t)written;
    }
    return 0;
}

/* Beside it, then in its place: whoever reads it meanwhile has the old one. */
static int replace_file(const char *path, const char *text)
{
    char *beside = must_print("%s.XXXXXX", path);
    int fd = mkstemp(beside), result = fd < 0 ? -1 : write_all(fd, text), error = errno;
    if (fd >= 0 && close(fd) < 0 && result == 0) {
        result = -1;
        error = errno;
    }
    if (result == 0 && disk_replace(beside, path) < 0) {
        result = -1;
        error = errno;
    }
    if (result < 0 && fd >= 0)
        unlink(beside);
    free(beside);
    errno = error;
    return result;
}

/* A pipe or a device is written to, not replaced. */
static int write_there(const char *path, const char *text)
{
    struct stat status;
    if (stat(path, &status) < 0 || S_ISREG(status.st_mode))
        return replace_file(path, text);
    FILE *out = fopen(path, "w");
    int result = out && fputs(text, out) >= 0 ? 0 : -1;
    return out && fclose(out) != 0 ? -1 : result;
}

int cookies_write(const char *path, const char *text)
{
    bool to_stdout = strcmp(path, "-") == 0;
    int result =
        to_stdout ? (fputs(text, stdout) < 0 || fflush(stdout) != 0 ? -1 : 0) : write_there(path, text);
    if (result < 0)
        say("can't write %s: %s", to_stdout ? "stdout" : path, strerror(errno));
    return result;
}

int cookies_end(struct fetchd_client *client, const struct options *options, int code)
{
    if (!options->cookie_jar)
        return code;
    char *text = fetchd_session_export(client, options->session, ANSWER_MS);
    int result = text ? (cookies_write(options->cookie_jar, text) < 0 ? EXIT_WRITE : 0) : say_failure(client);
    fetchd_free(text);
    return code != 0 ? code : result;
}
