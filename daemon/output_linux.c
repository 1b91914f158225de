/* What a descriptor leads to, by /proc: fstat and fstatfs would ask the file system, which may never answer. */
#include "output.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define TYPE_BYTES 64

static const char *const local_types[] = { "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "jfs",
                                           "tmpfs", "ramfs", "overlay", "vfat", "exfat", "ntfs3" };

/* proc(5): /proc/PID/fdinfo. */
static int mount_of(int fd)
{
    char path[64], line[128];
    int mount = -1;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "mnt_id: %d", &mount) == 1)
            break;
    if (file)
        fclose(file);
    return mount;
}

/* proc(5): "ID PARENT ... - TYPE SOURCE OPTIONS". False for a mount that this process does not see. */
static bool type_of(int mount, char ret_type[TYPE_BYTES])
{
    char line[4096];
    bool found = false;
    FILE *file = fopen("/proc/self/mountinfo", "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        int id;
        const char *dash = strstr(line, " - ");
        found = dash && sscanf(line, "%d ", &id) == 1 && id == mount && sscanf(dash, " - %63s", ret_type) == 1;
    }
    if (file)
        fclose(file);
    return found;
}

static bool is_local(const char *type)
{
    for (size_t i = 0; i < sizeof local_types / sizeof local_types[0]; i++)
        if (strcmp(type, local_types[i]) == 0)
            return true;
    return false;
}

/* fcntl(2): only memory has seals. */
static bool is_memory(int fd)
{
    return fcntl(fd, F_GET_SEALS) >= 0;
}

bool output_may_be(int fd, const char **ret_reason)
{
    static char reason[TYPE_BYTES + 80];
    char type[TYPE_BYTES] = "";
    struct stat status;
    int flags = fcntl(fd, F_GETFL);
    *ret_reason = reason;
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH)) {
        snprintf(reason, sizeof reason, "it is not open for writing");
        return false;
    }
    if (!is_memory(fd) && !type_of(mount_of(fd), type)) {
        snprintf(reason, sizeof reason, "it is no file, or of a file system that the daemon does not see");
        return false;
    }
    if (*type && !is_local(type)) {
        snprintf(reason, sizeof reason, "its file system (%s) is not known to be local", type);
        return false;
    }
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        snprintf(reason, sizeof reason, "it is not a regular file");
        return false;
    }
    return true;
}

bool output_is_supported(void)
{
    return true;
}
