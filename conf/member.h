/* Users and groups as settings name them: alice, 1000, @staff, @50, or * for everyone; on Windows alice,
 * EXAMPLE\alice, S-1-5-21-... and the like. Quotes stand around a name with spaces, behind the @ of a group. Names
 * are looked up when a setting is read, by the system's own databases; what is kept is the number. */
#ifndef CONF_MEMBER_H
#define CONF_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_member {
    char *text;              /* as it was written */
    bool everyone, group;
    uint64_t id;
};

struct conf_members { struct conf_member *items; size_t count; };

/* How much of `text` is one member, which ends at the first of `between` that is not in quotes. */
size_t conf_member_length(const char *text, const char *between);

/* What the system says, member_unix.c and member_windows.c: NULL with the number, or what is wrong. */
const char *conf_member_find(const char *name, bool group, uint64_t *ret_id);

/* Fills all but `text`. NULL, or what is wrong. */
const char *conf_member_read(const char *text, size_t length, struct conf_member *ret_member);

/* True when one of them is this user, or a group of these. */
bool conf_members_have(const struct conf_members *members, uint64_t user, const uint64_t *groups, size_t count);

#endif
