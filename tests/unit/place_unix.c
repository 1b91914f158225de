/* Modes, links and pipes. */
#include "place.h"

#include "unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

const bool place_is_refused = true;

bool place_is_private(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return (status.st_mode & 07777) == (S_ISDIR(status.st_mode) ? 0700 : 0600);
}

void place_make_strange(const char *folder)
{
    char path[400];
    snprintf(path, sizeof path, "%s/1000-link.session", folder);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    snprintf(path, sizeof path, "%s/1000-fifo.session", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
}

void place_block(const char *path)
{
    assert_int_equal(mkdir(path, 0700), 0);
}

void place_unblock(const char *path)
{
    assert_int_equal(rmdir(path), 0);
}

void place_open_up(const char *folder)
{
    assert_int_equal(chmod(folder, 0722), 0);
}
