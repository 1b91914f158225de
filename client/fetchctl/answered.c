/* Keys and how often each was answered. */
#include "answered.h"

#include "entry.h"
#include "memory.h"
#include "options.h"
#include "say.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

struct answer {
    char *key;
    size_t count;
    UT_hash_handle hh;
};

/* Takes the key over. */
static void add(struct answered *answered, char *key)
{
    struct answer *answer;
    HASH_FIND_STR(answered->by_key, key, answer);
    if (answer) {
        answer->count++;
        free(key);
        return;
    }
    answer = must_allocate(1, sizeof *answer);
    *answer = (struct answer){ .key = key, .count = 1 };
    HASH_ADD_KEYPTR(hh, answered->by_key, answer->key, strlen(answer->key), answer);
}

static bool is_answer(const json_t *line)
{
    const json_t *error = json_object_get(line, "error");
    return !error || !json_is_true(json_object_get(error, "retryable"));
}

/* False for a line that no batch wrote. */
static bool take_line(struct answered *answered, const char *text, size_t length)
{
    json_t *line = json_loadb(text, length, JSON_ALLOW_NUL, NULL);
    char *key = entry_key(line);
    bool good = key && json_object_get(line, "status");
    const char *file = json_string_value(json_object_get(line, "file"));
    if (good && is_answer(line)) {
        add(answered, key);
        key = NULL;
        answered->count++;
        if (file)
            strings_add(&answered->files, file);
    }
    free(key);
    json_decref(line);
    return good;
}

/* The run that wrote it may have been stopped in the midst of a line. */
static int end_file(int fd, off_t whole, const char *path)
{
    if (ftruncate(fd, whole) == 0 && lseek(fd, 0, SEEK_END) >= 0)
        return 0;
    say("can't go on with %s: %s", path, strerror(errno));
    return EXIT_WRITE;
}

static int read_lines(struct answered *answered, FILE *file, const char *path, off_t *ret_whole)
{
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t length;
    int code = 0;
    *ret_whole = 0;
    while (code == 0 && (length = getline(&line, &room, file)) > 0 && line[length - 1] == '\n') {
        number++;
        if (take_line(answered, line, (size_t)length))
            *ret_whole += length;
        else
            code = EXIT_READ;
    }
    if (code != 0)
        say("%s:%zu is no line that batch wrote; --resume goes on with its own output only", path,
            number);
    else if (ferror(file))
        say("can't read %s: %s", path, strerror(errno));
    if (ferror(file))
        code = EXIT_READ;
    free(line);
    return code;
}

int answered_read(struct answered *answered, int fd, const char *path)
{
    off_t whole;
    int copy = dup(fd);
    FILE *file = copy < 0 ? NULL : fdopen(copy, "r");
    if (!file) {
        say("can't read %s: %s", path, strerror(errno));
        if (copy >= 0)
            close(copy);
        return EXIT_READ;
    }
    int code = read_lines(answered, file, path, &whole);
    fclose(file);
    return code == 0 ? end_file(fd, whole, path) : code;
}

void answered_finish(struct answered *answered)
{
    struct answer *answer, *next;
    HASH_ITER(hh, answered->by_key, answer, next)
    {
        HASH_DEL(answered->by_key, answer);
        free(answer->key);
        free(answer);
    }
    strings_finish(&answered->files);
}

bool answered_take(struct answered *answered, const char *key)
{
    struct answer *answer;
    HASH_FIND_STR(answered->by_key, key, answer);
    if (!answer || answer->count == 0)
        return false;
    answer->count--;
    return true;
}
