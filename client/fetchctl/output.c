/* Where a body goes. */
#include "output.h"

#include "disk.h"
#include "memory.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void output_init(struct output *output, const char *path, bool create_dirs)
{
    bool is_stdout = !path || strcmp(path, "-") == 0;
    *output = (struct output){ .path = is_stdout ? NULL : must_copy(path), .create_dirs = create_dirs,
                               .may_be_binary = path != NULL };
}

char *output_name_of(const char *url)
{
    const char *start = strstr(url, "://");
    start = start ? start + 3 : url;
    size_t length = strcspn(start, "?#");
    const char *slash = memrchr(start, '/', length);
    if (!slash)
        return NULL;
    char *name = must_copy_bytes(slash + 1, length - (size_t)(slash + 1 - start));
    disk_clean_name(name);
    if (name[0] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
        return name;
    free(name);
    return NULL;
}

uint64_t output_size(const struct output *output)
{
    struct stat status;
    bool is_file = output->path && stat(output->path, &status) == 0 && S_ISREG(status.st_mode);
    return is_file ? (uint64_t)status.st_size : 0;
}

bool output_is_terminal(const struct output *output)
{
    return !output->path && isatty(STDOUT_FILENO);
}

static int fail(const struct output *output, const char *what)
{
    say("can't %s %s: %s", what, output->path ? output->path : "stdout", strerror(errno));
    return -1;
}

/* Each folder of the path, as mkdir -p. One that is there is as good. */
static int make_folders(const struct output *output)
{
    char *path = must_copy(output->path);
    int result = 0;
    char *slash = path;
    while (result == 0 && (slash = strpbrk(slash + 1, DISK_SLASHES))) {
        char kept = *slash;
        *slash = '\0';
        if (disk_make_folder(path) < 0)
            result = fail(output, "make the folders of");
        *slash = kept;
    }
    free(path);
    return result;
}

static void close_with_errno(int fd)
{
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
}

static int open_file(struct output *output)
{
    if (!output->path) {
        output->file = stdout;
        return 0;
    }
    if (output->create_dirs && make_folders(output) < 0)
        return -1;
    int fd = open(output->path, O_WRONLY | O_CREAT | O_CLOEXEC | (output->append ? O_APPEND : O_TRUNC), 0666);
    output->file = fd < 0 ? NULL : fdopen(fd, output->append ? "a" : "w");
    if (output->file)
        return 0;
    close_with_errno(fd);
    if (errno != ENOENT)
        return fail(output, "write");
    say("can't write %s: its folder is not there; --create-dirs makes it", output->path);
    return -1;
}

static bool may_be_regular(const struct output *output)
{
    struct stat status;
    return output->path && output->written == 0 && (stat(output->path, &status) < 0 || S_ISREG(status.st_mode));
}

int output_descriptor(struct output *output)
{
    /* A worker knows nothing of how large our files may be. */
    if (disk_limits_size() || !may_be_regular(output) || (!output->file && open_file(output) < 0))
        return -1;
    return fileno(output->file);
}

static bool would_mess_terminal(const struct output *output, const void *data, size_t size)
{
    return output->written == 0 && !output->may_be_binary && output_is_terminal(output)
        && memchr(data, '\0', size);
}

int output_write(struct output *output, const void *data, size_t size)
{
    if (size == 0)
        return 0;
    if (!output->file && open_file(output) < 0)
        return -1;
    if (would_mess_terminal(output, data, size)) {
        say("the body is binary and could mess up your terminal; use -o FILE, or -o - to have it there");
        return -1;
    }
    if (fwrite(data, 1, size, output->file) != size)
        return fail(output, "write");
    output->written += size;
    return 0;
}

int output_end(struct output *output, bool make_empty)
{
    int result = 0;
    if (!output->file && make_empty && output->path)
        result = open_file(output);
    if (output->file == stdout)
        result = fflush(stdout) == 0 ? result : fail(output, "write");
    else if (output->file && fclose(output->file) != 0)
        result = fail(output, "write");
    output->file = NULL;
    free(output->path);
    output->path = NULL;
    return result;
}
