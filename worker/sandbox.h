/* Confines this process before it meets the network: what a hostile server could make of it then can
 * fetch, and nothing else. One file a platform, chosen by Meson:
 *
 *   linux     own user, no capabilities, no new privileges, Landlock (reads only what name look-ups
 *             need, writes nothing, binds nothing, signals nobody), a seccomp allow-list, no core dumps
 *   openbsd   own user, pledge(2): stdio, inet, dns
 *   freebsd   own user, no new privileges, no debuggers, no core dumps
 *   macos     own user, sandbox_init(3): no writes
 *   windows   no child processes, no code made at run time, system libraries only, checked handles, no privileges,
 *             low integrity; what a version does not know is told, and the rest holds
 *   none      own user only
 *
 * Looked up names keep working: what the C library's name service needs is loaded and allowed before.
 * A new name service in nsswitch.conf is for new workers, which a reload brings. */
#ifndef WORKER_SANDBOX_H
#define WORKER_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The sanitizers' own threads, look-ups and leak check need more; what a test says of the sandbox it says
 * of a build without them. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANDBOX_SANITIZED 1
#endif
#endif

struct sandbox_order {
    bool change_user;
    uint32_t user, group;   /* numbers, for this process came without a look at any user database */
    bool core;              /* may leave a core file, so be looked into */
};

/* 0 with what holds from here on in ret_text, or -1 with what went wrong: the process is then to end. Only
 * with a single thread. */
int sandbox_enter(const struct sandbox_order *order, char *ret_text, size_t size);

#endif
