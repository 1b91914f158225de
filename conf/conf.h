/* The configuration: an INI file read by inih into one struct, every setting a row of settings.def.
 * Nothing here logs: errors are sentences that name file, line and key. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "member.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct conf_list { char **items; size_t count; };

#define CONF_C_TYPE_STRING char *
#define CONF_C_TYPE_PROGRAM char *
#define CONF_C_TYPE_HTTPS_URL char *
#define CONF_C_TYPE_LIST struct conf_list
#define CONF_C_TYPE_RULES struct conf_list
#define CONF_C_TYPE_PROXIES struct conf_list
#define CONF_C_TYPE_MEMBERS struct conf_members
#define CONF_C_TYPE_NUMBER uint64_t
#define CONF_C_TYPE_BOOLEAN bool
#define CONF_C_TYPE_DURATION uint64_t
#define CONF_C_TYPE_SIZE uint64_t
#define CONF_C_TYPE_CHOICE uint64_t   /* the word's place in the row */

/* One [origin "PATTERN"] section, or the defaults for origins that none matches (pattern "*"). */
struct conf_origin {
    char *pattern;
#define SETTING(section, key, TYPE, field, initial, low, high, when, help) CONF_C_TYPE_##TYPE field;
#include "origin.def"
};

/* One [class "NAME"] section, or that of users who are in none ("*"). */
struct conf_class {
    char *name;
#define SETTING(section, key, TYPE, field, initial, low, high, when, help) CONF_C_TYPE_##TYPE field;
#include "class.def"
};

/* One [proxy_pool "NAME"] section, or an empty one ("*"). */
struct conf_proxy_pool {
    char *name;
#define SETTING(section, key, TYPE, field, initial, low, high, when, help) CONF_C_TYPE_##TYPE field;
#include "proxy_pool.def"
};

/* All sections of a kind, in the file's order; the last one is "*". */
struct conf_set { void **records; size_t count; };

struct conf {
    struct conf_set origins;   /* of struct conf_origin */
    struct conf_set classes;   /* of struct conf_class */
    struct conf_set proxy_pools;   /* of struct conf_proxy_pool */
#define SETTING(section, key, TYPE, field, initial, low, high, when, help) CONF_C_TYPE_##TYPE field;
#include "settings.def"
};

enum conf_log_level { CONF_LOG_ERROR, CONF_LOG_WARNING, CONF_LOG_NOTICE, CONF_LOG_INFO, CONF_LOG_DEBUG };
enum conf_log_format { CONF_LOG_TEXT, CONF_LOG_JSON };

enum conf_pool { CONF_POOL_USER, CONF_POOL_CLASS, CONF_POOL_SHARED };

#define CONF_ERROR_BYTES 512

/* A configuration with every setting at its initial value. NULL without memory. */
struct conf *conf_create(void);
void conf_destroy(struct conf *conf);

/* Reads `file` over what `conf` holds. 0, or -1 with a sentence in ret_error ("FILE:LINE: ..."):
 * then `conf` is half changed and of no use but to be destroyed. */
int conf_read(struct conf *conf, const char *file, char ret_error[CONF_ERROR_BYTES]);

/* Sets one setting from text, as `section` and `key` would in a file. 0, or -1 with a sentence. */
int conf_set(struct conf *conf, const char *section, const char *key, const char *value,
             char ret_error[CONF_ERROR_BYTES]);

/* The section that holds for an origin, by its key ("https://example.com:443") and host. Never NULL. */
const struct conf_origin *conf_origin(const struct conf *conf, const char *key, const char *host);

/* The class of a user by the groups it has. Never NULL. */
const struct conf_class *conf_class(const struct conf *conf, uint64_t user, const uint64_t *groups, size_t count);

/* Writes every setting with its help, as a file that conf_read would read back. */
void conf_print(const struct conf *conf, FILE *out);

/* A row of the tables, for a manual. */
struct conf_setting {
    const char *section;       /* of one that comes with a name, its kind: "origin" */
    const char *about;         /* the section, perhaps in several lines of comment */
    const char *key, *initial, *help;
    const char *type;          /* a word, or the words to choose from */
    const char *when;          /* live, roll or start */
    char low[32], high[32];    /* "": no bound */
};
void conf_describe(void (*on_setting)(const struct conf_setting *setting));

/* Calls `on_difference` for each setting that differs and that a reload can't apply. */
void conf_compare(const struct conf *running, const struct conf *wanted,
                  void (*on_difference)(const char *section, const char *key, void *context), void *context);

#endif
