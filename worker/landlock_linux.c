/* One ruleset, one rule a path. */
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset   /* the same on every architecture */
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define ASK_VERSION 1u       /* LANDLOCK_CREATE_RULESET_VERSION */
#define RULE_PATH_BENEATH 1

#define FS_READ_FILE (1u << 2)
#define FS_READ_DIR (1u << 3)
#define NET_BIND_TCP (1u << 0)
#define SCOPE_ABSTRACT_UNIX_SOCKET (1u << 0)
#define SCOPE_SIGNAL (1u << 1)

struct ruleset { uint64_t files, network, scoped; };                              /* landlock_ruleset_attr */
struct beneath { uint64_t allowed; int32_t parent_fd; } __attribute__((packed));  /* landlock_path_beneath_attr */

/* Every right on files that this version of it knows: execute, write, make and remove of each kind,
 * refer (2), truncate (3), ioctl of a device (5). What is not handled would be allowed. */
static uint64_t file_rights(int version)
{
    static const unsigned bits[] = { 0, 13, 14, 15, 15, 16 };
    size_t known = sizeof bits / sizeof bits[0] - 1;
    return ((uint64_t)1 << bits[(size_t)version < known ? (size_t)version : known]) - 1;
}

static struct ruleset wanted(int version)
{
    return (struct ruleset){
        .files = file_rights(version),
        .network = version >= 4 ? NET_BIND_TCP : 0,
        .scoped = version >= 6 ? SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL : 0,
    };
}

static int allow_reading(int rules, const char *path)
{
    struct stat status;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == EACCES || errno == ENOTDIR ? 0 : -1;
    int result = fstat(fd, &status);
    struct beneath beneath = { FS_READ_FILE, fd };
    if (result == 0 && S_ISDIR(status.st_mode))
        beneath.allowed |= FS_READ_DIR;
    if (result == 0)
        result = (int)syscall(SYS_landlock_add_rule, rules, RULE_PATH_BENEATH, &beneath, 0u);
    close(fd);
    return result;
}

int landlock_enter(const char *const *readable, size_t count)
{
    int version = (int)syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, ASK_VERSION);
    if (version <= 0)
        return version == 0 || errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM ? 0 : -1;
    struct ruleset attributes = wanted(version);
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0u);
    if (rules < 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        result = allow_reading(rules, readable[i]);
    if (result == 0)
        result = (int)syscall(SYS_landlock_restrict_self, rules, 0u);
    close(rules);
    return result < 0 ? -1 : version;
}
