/* Files that appear when they are whole. */
#include "folder_platform.h"

#include "disk.h"
#include "memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#define NAME_BYTES   120
#define MOST_NUMBERS 1000000

struct given {
    UT_hash_handle hh;
    unsigned numbers; /* of it that are taken: "a-2", "a-3" */
    char name[];
};

int folder_open(struct folder *folder, const char *path)
{
    return disk_make_folder(path) < 0 ? -1 : folder_disk_open(folder, path);
}

void folder_close(struct folder *folder)
{
    struct given *given, *next;
    HASH_ITER(hh, folder->given, given, next)
    {
        HASH_DEL(folder->given, given);
        free(given);
    }
    folder_disk_close(folder);
}

/* ---- names ---- */

static struct given *find(const struct folder *folder, const char *name)
{
    struct given *given;
    HASH_FIND_STR(folder->given, name, given);
    return given;
}

bool folder_claim(struct folder *folder, const char *name)
{
    size_t length = strlen(name);
    if (find(folder, name))
        return false;
    struct given *given = must_allocate(1, sizeof *given + length + 1);
    memcpy(given->name, name, length + 1);
    given->numbers = 1;
    HASH_ADD_KEYPTR(hh, folder->given, given->name, length, given);
    return true;
}

static bool is_harmless(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '+' || c == '=' || c == '@' || c == ',' || c == '~' ||
           c == '%';
}

char *folder_name_of(const char *url)
{
    const char *start = strstr(url, "://");
    start = start ? start + 3 : url;
    size_t length = strcspn(start, "?#");
    const char *slash = memrchr(start, '/', length);
    const char *name = slash ? slash + 1 : start + length;
    size_t size = (size_t)(start + length - name);
    if (size == 0)
        return must_copy("index");
    if (size > NAME_BYTES) { /* its end says what it is */
        name += size - NAME_BYTES;
        size = NAME_BYTES;
    }
    char *clean = must_copy_bytes(name, size);
    for (size_t i = 0; i < size; i++)
        if (!is_harmless(clean[i]))
            clean[i] = '_';
    if (clean[0] == '.' || clean[0] == '-' || clean[0] == '~')
        clean[0] = '_';
    disk_clean_name(clean);
    return clean;
}

/* "a.tar.gz" is "a-2.tar.gz" the second time. */
static char *numbered(const char *name, unsigned number)
{
    int stem = (int)strcspn(name, ".");
    return number == 1 ? must_copy(name) : must_print("%.*s-%u%s", stem, name, number, name + stem);
}

static char *part_of(const char *name)
{
    return must_print(".%s.part", name);
}

/* ---- files ---- */

/* -1 with EEXIST when another run writes there now. */
static int open_part(const struct folder *folder, const char *name)
{
    char *part = part_of(name);
    if (folder->resumed)
        folder_disk_remove(folder, part);
    int fd = folder_disk_make(folder, part), error = errno;
    free(part);
    errno = error;
    return fd;
}

/* The first name that nobody has. Those of this run are not tried again: a list may have the same a
 * thousand times. */
static int open_unused(struct folder *folder, const char *name, struct saved *ret_saved)
{
    struct given *given = find(folder, name);
    for (unsigned number = given ? given->numbers + 1 : 1; number < MOST_NUMBERS; number++) {
        char *candidate = numbered(name, number);
        if (given)
            given->numbers = number;
        if (!folder_disk_has(folder, candidate) && folder_claim(folder, candidate)) {
            int fd = open_part(folder, candidate);
            if (fd >= 0 || errno != EEXIST) {
                *ret_saved = (struct saved){ .fd = fd, .name = candidate };
                return fd < 0 ? -1 : 0;
            }
        }
        free(candidate);
    }
    errno = EEXIST;
    return -1;
}

int folder_begin(struct folder *folder, const char *wanted, const char *url,
                 struct saved *ret_saved)
{
    if (wanted) {
        *ret_saved = (struct saved){
            .fd = open_part(folder, wanted), .name = must_copy(wanted), .may_replace = true};
        return ret_saved->fd < 0 ? -1 : 0;
    }
    char *name = folder_name_of(url);
    int result = open_unused(folder, name, ret_saved), error = errno;
    free(name);
    errno = error;
    return result;
}

int saved_write(struct saved *saved, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t written = write(saved->fd, at, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        at += written;
        size -= (size_t)written;
    }
    return 0;
}

/* Somebody else has taken the name meanwhile. */
static int give_next_name(struct folder *folder, struct saved *saved, const char *part)
{
    for (unsigned number = 2; number < MOST_NUMBERS; number++) {
        char *name = numbered(saved->name, number);
        errno = EEXIST;
        if (folder_claim(folder, name) && folder_disk_rename(folder, part, name, false) == 0) {
            free(saved->name);
            saved->name = name;
            return 0;
        }
        free(name);
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}

int folder_keep(struct folder *folder, struct saved *saved)
{
    char *part = part_of(saved->name);
    int result = close(saved->fd);
    saved->fd = -1;
    if (result == 0)
        result = folder_disk_rename(folder, part, saved->name, saved->may_replace);
    if (result < 0 && errno == EEXIST)
        result = give_next_name(folder, saved, part);
    int error = errno;
    if (result < 0)
        folder_disk_remove(folder, part);
    free(part);
    errno = error;
    return result;
}

void folder_drop(struct folder *folder, struct saved *saved)
{
    if (saved->fd >= 0) {
        char *part = part_of(saved->name);
        close(saved->fd);
        folder_disk_remove(folder, part);
        free(part);
    }
    free(saved->name);
    *saved = SAVED_NONE;
}
