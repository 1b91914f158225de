/* The configuration file: read or refused with file and line; what was read and printed reads as the same. */
#include "target.h"

#include "conf/conf.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int write_file(const void *data, size_t size, char *ret_path, size_t path_size)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    HOLDS(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(ret_path, path_size, "/proc/self/fd/%d", fd);
    return fd;
}

static struct conf *read_file(const void *data, size_t size, char ret_error[CONF_ERROR_BYTES])
{
    char path[64];
    struct conf *conf = conf_create();
    int fd = write_file(data, size, path, sizeof path);
    HOLDS(conf);
    ret_error[0] = '\0';
    if (conf_read(conf, path, ret_error) < 0) {
        HOLDS(memchr(ret_error, '\0', CONF_ERROR_BYTES) && strncmp(ret_error, path, strlen(path)) == 0);
        conf_destroy(conf);
        conf = NULL;
    }
    close(fd);
    return conf;
}

static char *print(const struct conf *conf, size_t *ret_length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_length);
    HOLDS(out);
    conf_print(conf, out);
    fclose(out);
    return text;
}

static void on_difference(const char *section, const char *key, void *context)
{
    (void)context;
    fprintf(stderr, "[%s] %s differs\n", section, key);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[CONF_ERROR_BYTES];
    struct conf *conf = read_file(data, size, error);
    if (!conf)
        return 0;
    size_t length, length_again;
    char *text = print(conf, &length);
    struct conf *again = read_file(text, length, error);
    if (!again) {
        /* "key = value" can be longer than "key=value" was, and the reader's lines are bounded. */
        fprintf(stderr, "%s\n", error);
        HOLDS(strstr(error, "the line is too long"));
        free(text);
        conf_destroy(conf);
        return 0;
    }
    conf_compare(conf, again, on_difference, NULL);
    char *text_again = print(again, &length_again);
    HOLDS(length == length_again && memcmp(text, text_again, length) == 0);
    free(text);
    free(text_again);
    conf_destroy(conf);
    conf_destroy(again);
    return 0;
}
