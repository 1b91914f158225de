/* The configuration, read, checked and printed by the rows of settings.def. */
#include "conf.h"

#include "member.h"
#include "proxy.h"
#include "rule.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

enum type { STRING, PROGRAM, HTTPS_URL, LIST, RULES, PROXIES, MEMBERS, NUMBER, BOOLEAN, DURATION, SIZE, CHOICE };
enum when { LIVE, ROLL, START };

struct row {
    const char *section, *key;
    enum type type;
    size_t offset;
    const char *initial;
    uint64_t low, high;
    const char *words;   /* of a CHOICE */
    enum when when;
    const char *help;
};

/* `low` of a CHOICE holds its words, of any other type a number. */
#define RANGE_STRING(low, high) (low), (high), NULL
#define RANGE_PROGRAM(low, high) (low), (high), NULL
#define RANGE_HTTPS_URL(low, high) (low), (high), NULL
#define RANGE_LIST(low, high) (low), (high), NULL
#define RANGE_RULES(low, high) (low), (high), NULL
#define RANGE_PROXIES(low, high) (low), (high), NULL
#define RANGE_MEMBERS(low, high) (low), (high), NULL
#define RANGE_NUMBER(low, high) (low), (high), NULL
#define RANGE_BOOLEAN(low, high) 0, 1, NULL
#define RANGE_DURATION(low, high) (low), (high), NULL
#define RANGE_SIZE(low, high) (low), (high), NULL
#define RANGE_CHOICE(words, unused) 0, 0, words

static const struct row rows[] = {
#define SETTING(section, key, TYPE, field, initial, low, high, when, help)                                    \
    { #section, #key, TYPE, offsetof(struct conf, field), initial, RANGE_##TYPE(low, high), when, help },
#include "settings.def"
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])
#define LINE_BYTES 1024   /* or fewer, as inih was built */
#define PRINTED_COLUMNS 110

/* The same for sections that come with a name. */
#define SETTING(section, key, TYPE, field, initial, low, high, when, help)                                    \
    { #section, #key, TYPE, offsetof(struct conf_origin, field), initial, RANGE_##TYPE(low, high), when, help },
static const struct row origin_rows[] = {
#include "origin.def"
};
#define SETTING(section, key, TYPE, field, initial, low, high, when, help)                                    \
    { #section, #key, TYPE, offsetof(struct conf_class, field), initial, RANGE_##TYPE(low, high), when, help },
static const struct row class_rows[] = {
#include "class.def"
};
#define SETTING(section, key, TYPE, field, initial, low, high, when, help)                                    \
    { #section, #key, TYPE, offsetof(struct conf_proxy_pool, field), initial, RANGE_##TYPE(low, high), when, help },
static const struct row proxy_pool_rows[] = {
#include "proxy_pool.def"
};

/* THE table of their kinds. Each set ends with the section "*", of all that no other one holds for. */
static const struct kind {
    const char *name;
    const struct row *rows;
    size_t row_count, set, record_bytes;
    bool plain;   /* its names are letters, digits, dots, - and _ alone */
    const char *help;
} kinds[] = {
    { "origin", origin_rows, sizeof origin_rows / sizeof origin_rows[0], offsetof(struct conf, origins),
      sizeof(struct conf_origin), false,
      "; for origins that match: their URL's start (https://example.com:443) or host, with * and ?; the first\n"
      "; section that matches holds\n" },
    { "class", class_rows, sizeof class_rows / sizeof class_rows[0], offsetof(struct conf, classes),
      sizeof(struct conf_class), true,
      "; for classes of users, by any name; the first that a client is a member of holds, \"*\" for all others\n" },
    { "proxy_pool", proxy_pool_rows, sizeof proxy_pool_rows / sizeof proxy_pool_rows[0],
      offsetof(struct conf, proxy_pools), sizeof(struct conf_proxy_pool), true,
      "; for proxies that requests share by the name of the pool (fetchctl --proxy-pool NAME); \"*\" is none\n" },
};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])
#define NAMED_ROWS 32   /* most rows of a kind */
#define NAME_BYTES 64   /* of a plain one */

static const struct { const char *name, *help; } sections[] = {
#define SECTION(name, help) { #name, help },
#include "settings.def"
};
#define SECTION_COUNT (sizeof sections / sizeof sections[0])

struct unit { const char *name; uint64_t factor; };
static const struct unit durations[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { NULL, 0 } };
static const struct unit sizes[] = { { "B", 1 }, { "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 }, { NULL, 0 } };

static void *place_of(const struct row *row, const void *record)
{
    return (char *)(uintptr_t)record + row->offset;
}

/* ---- values from text: each reader returns NULL or what is wrong ---- */

static const char *read_number(const char *text, const struct unit *units, uint64_t *ret_number)
{
    char *end;
    errno = 0;
    if (!isdigit((unsigned char)text[0]))
        return "is not a number";
    unsigned long long number = strtoull(text, &end, 10);
    if (errno == ERANGE)
        return "is too large";
    if (!units) {
        *ret_number = number;
        return *end ? "is not a whole number" : NULL;
    }
    for (const struct unit *unit = units; unit->name; unit++) {
        if (strcmp(end, unit->name) != 0)
            continue;
        *ret_number = number * unit->factor;
        return number > UINT64_MAX / unit->factor ? "is too large" : NULL;
    }
    return units == durations ? "wants a unit: ms, s, m or h" : "wants a unit: B, KiB, MiB or GiB";
}

static const char *set_number(const struct row *row, const char *text, uint64_t *place)
{
    const struct unit *units = row->type == DURATION ? durations : row->type == SIZE ? sizes : NULL;
    uint64_t number;
    const char *wrong = read_number(text, units, &number);
    if (wrong)
        return wrong;
    if (number < row->low)
        return "is below its least value";
    if (number > row->high)
        return "is above its largest value";
    *place = number;
    return NULL;
}

static const char *set_boolean(const char *text, bool *place)
{
    if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
        return "is neither yes nor no";
    *place = text[0] == 'y';
    return NULL;
}

static const char *set_string(const struct row *row, const char *text, char **place)
{
    size_t length = strlen(text);
    if (length < row->low || length > row->high)
        return "is too short or too long";
    char *copy = strdup(text);
    if (!copy)
        return "needs more memory than there is";
    free(*place);
    *place = copy;
    return NULL;
}

/* What starts it stands in another folder than who wrote this. */
static bool is_absolute(const char *path)
{
    bool has_drive = isalpha((unsigned char)path[0]) && path[1] == ':' && path[2];
    return path[0] == '/' || path[0] == '\\' || (has_drive && (path[2] == '/' || path[2] == '\\'));
}

static const char *set_https_url(const struct row *row, const char *text, char **place)
{
    bool is_one = strncmp(text, "https://", 8) == 0 && text[8] && !text[strcspn(text, " \t\"\\")];
    return *text && !is_one ? "is not a URL of https" : set_string(row, text, place);
}

static const char *set_program(const struct row *row, const char *text, char **place)
{
    return *text && !is_absolute(text) ? "is not a path from the root" : set_string(row, text, place);
}

static bool is_string(const struct row *row)
{
    return row->type == STRING || row->type == PROGRAM || row->type == HTTPS_URL;
}

static const char *set_choice(const struct row *row, const char *text, uint64_t *place)
{
    uint64_t index = 0;
    size_t length = strlen(text);
    for (const char *word = row->words; *word; index++) {
        size_t size = strcspn(word, " ");
        if (size == length && memcmp(word, text, length) == 0) {
            *place = index;
            return NULL;
        }
        word += size + (word[size] == ' ');
    }
    return "is not one of its words";
}

static void clear_list(struct conf_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct conf_list){ NULL, 0 };
}

static void clear_members(struct conf_members *members)
{
    for (size_t i = 0; i < members->count; i++)
        free(members->items[i].text);
    free(members->items);
    *members = (struct conf_members){ NULL, 0 };
}

static bool is_list(const struct row *row)
{
    return row->type == LIST || row->type == RULES || row->type == PROXIES || row->type == MEMBERS;
}

static void clear_items(const struct row *row, void *place)
{
    if (row->type == MEMBERS)
        clear_members(place);
    else
        clear_list(place);
}

static const char *add_member(const struct row *row, const char *item, size_t length, struct conf_members *members)
{
    struct conf_member member;
    const char *wrong = conf_member_read(item, length, &member);
    if (wrong)
        return wrong;
    if (members->count >= row->high)
        return "has too many items";
    struct conf_member *items = realloc(members->items, (members->count + 1) * sizeof *items);
    member.text = items ? strndup(item, length) : NULL;
    members->items = items ? items : members->items;
    if (!member.text)
        return "needs more memory than there is";
    items[members->count++] = member;
    return NULL;
}

static const char *add_item(const struct row *row, const char *item, size_t length, struct conf_list *list)
{
    const char *wrong = row->type == RULES ? conf_rule_check(item, length)
                      : row->type == PROXIES ? conf_proxy_check(item, length) : NULL;
    if (wrong)
        return wrong;
    if (list->count >= row->high)
        return "has too many items";
    char **items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (!items)
        return "needs more memory than there is";
    list->items = items;
    items[list->count] = strndup(item, length);
    if (!items[list->count])
        return "needs more memory than there is";
    list->count++;
    return NULL;
}

static const char *add_items(const struct row *row, const char *text, void *list)
{
    static const char between[] = ", \t\r\n";
    for (const char *at = text + strspn(text, between); *at;) {
        size_t length = row->type == MEMBERS ? conf_member_length(at, between) : strcspn(at, between);
        const char *wrong = row->type == MEMBERS ? add_member(row, at, length, list) : add_item(row, at, length, list);
        if (wrong)
            return wrong;
        at += length;
        at += strspn(at, between);
    }
    return NULL;
}

static const char *set_value(const struct row *row, const char *text, void *place)
{
    switch (row->type) {
    case STRING: return set_string(row, text, place);
    case PROGRAM: return set_program(row, text, place);
    case HTTPS_URL: return set_https_url(row, text, place);
    case LIST: case RULES: case PROXIES: case MEMBERS: return add_items(row, text, place);
    case NUMBER: case DURATION: case SIZE: return set_number(row, text, place);
    case BOOLEAN: return set_boolean(text, place);
    case CHOICE: return set_choice(row, text, place);
    }
    return "has no type";
}

/* ---- life ---- */

static void finish_rows(const struct row *table, size_t count, void *record)
{
    for (size_t i = 0; i < count; i++) {
        if (is_string(&table[i]))
            free(*(char **)place_of(&table[i], record));
        else if (is_list(&table[i]))
            clear_items(&table[i], place_of(&table[i], record));
    }
}

static bool init_rows(const struct row *table, size_t count, void *record)
{
    for (size_t i = 0; i < count; i++)
        if (set_value(&table[i], table[i].initial, place_of(&table[i], record)) != NULL)
            return false;
    return true;
}

/* Every record begins with its name. */
static char **name_of(void *record)
{
    return record;
}

static struct conf_set *set_of(const struct kind *kind, const struct conf *conf)
{
    return (struct conf_set *)(void *)((char *)(uintptr_t)conf + kind->set);
}

static void destroy_record(const struct kind *kind, void *record)
{
    if (!record)
        return;
    finish_rows(kind->rows, kind->row_count, record);
    free(*name_of(record));
    free(record);
}

static void *create_record(const struct kind *kind, const char *name, size_t length)
{
    void *record = calloc(1, kind->record_bytes);
    if (record && (!(*name_of(record) = strndup(name, length)) || !init_rows(kind->rows, kind->row_count, record))) {
        destroy_record(kind, record);
        return NULL;
    }
    return record;
}

/* The section of a name, made when it is new; before the last one, which is "*". */
static void *find_record(const struct kind *kind, struct conf *conf, const char *name, size_t length)
{
    struct conf_set *set = set_of(kind, conf);
    for (size_t i = 0; i < set->count; i++) {
        const char *other = *name_of(set->records[i]);
        if (strlen(other) == length && memcmp(other, name, length) == 0)
            return set->records[i];
    }
    void **records = realloc(set->records, (set->count + 1) * sizeof *records);
    if (!records)
        return NULL;
    set->records = records;
    void *record = create_record(kind, name, length);
    if (!record)
        return NULL;
    size_t at = set->count ? set->count - 1 : 0;
    memmove(records + at + 1, records + at, (set->count - at) * sizeof *records);
    records[at] = record;
    set->count++;
    return record;
}

static bool init_sets(struct conf *conf)
{
    for (size_t k = 0; k < KIND_COUNT; k++)
        if (!find_record(&kinds[k], conf, "*", 1))
            return false;
    return true;
}

static void finish_sets(struct conf *conf)
{
    for (size_t k = 0; k < KIND_COUNT; k++) {
        struct conf_set *set = set_of(&kinds[k], conf);
        for (size_t i = 0; i < set->count; i++)
            destroy_record(&kinds[k], set->records[i]);
        free(set->records);
    }
}

/* Only * and ? mean more than themselves: a pattern may well hold the brackets of an IPv6 address. */
static bool matches(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == '?' || tolower((unsigned char)*pattern) == tolower((unsigned char)*text)) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

const struct conf_origin *conf_origin(const struct conf *conf, const char *key, const char *host)
{
    const struct conf_origin *origin = NULL;
    for (size_t i = 0; i < conf->origins.count; i++) {
        origin = conf->origins.records[i];
        if (matches(origin->pattern, key) || matches(origin->pattern, host))
            break;
    }
    return origin;
}

const struct conf_class *conf_class(const struct conf *conf, uint64_t user, const uint64_t *groups, size_t count)
{
    size_t i = 0;
    const struct conf_class *class = conf->classes.records[0];
    while (i + 1 < conf->classes.count && !conf_members_have(&class->members, user, groups, count))
        class = conf->classes.records[++i];
    return class;
}

void conf_destroy(struct conf *conf)
{
    if (!conf)
        return;
    finish_rows(rows, ROW_COUNT, conf);
    finish_sets(conf);
    free(conf);
}

struct conf *conf_create(void)
{
    struct conf *conf = calloc(1, sizeof *conf);
    if (conf && (!init_rows(rows, ROW_COUNT, conf) || !init_sets(conf))) {
        conf_destroy(conf);
        return NULL;
    }
    return conf;
}

/* ---- reading ---- */

/* Where a line goes: the rows of its section's table, and the record they fill. */
struct target { const struct row *rows; size_t count; void *record; };

/* A name that is told to clients: nothing in it needs escaping. */
static bool is_plain(const char *name, size_t length)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return (length == 1 && *name == '*') || (length <= NAME_BYTES && strspn(name, allowed) == length);
}

/* [origin "PATTERN"]: its kind and name, NULL for another section. */
static const struct kind *find_kind(const char *section, const char **ret_name, size_t *ret_length)
{
    for (size_t k = 0; k < KIND_COUNT; k++) {
        size_t length = strlen(section), before = strlen(kinds[k].name) + 2;   /* with a space and a quote */
        if (strncmp(section, kinds[k].name, before - 2) != 0 || strncmp(section + before - 2, " \"", 2) != 0
            || length < before + 2 || section[length - 1] != '"')
            continue;
        *ret_name = section + before;
        *ret_length = length - before - 1;
        return !kinds[k].plain || is_plain(*ret_name, *ret_length) ? &kinds[k] : NULL;
    }
    return NULL;
}

static struct target find_target(struct conf *conf, const char *section)
{
    const char *name;
    size_t length;
    const struct kind *kind = find_kind(section, &name, &length);
    if (kind)
        return (struct target){ kind->rows, kind->row_count, find_record(kind, conf, name, length) };
    return (struct target){ rows, ROW_COUNT, conf };
}

static const struct row *find_row(const struct target *target, const char *section, const char *key)
{
    for (size_t i = 0; i < target->count; i++)
        if ((target->rows != rows || strcmp(rows[i].section, section) == 0)
            && strcmp(target->rows[i].key, key) == 0)
            return &target->rows[i];
    return NULL;
}

static bool has_name(const char *section)
{
    const char *name;
    size_t length;
    return find_kind(section, &name, &length) != NULL;
}

static bool is_section(const char *name)
{
    for (size_t i = 0; i < SECTION_COUNT; i++)
        if (strcmp(sections[i].name, name) == 0)
            return true;
    return has_name(name);
}

static const char *set_row(const struct row *row, void *record, const char *value, bool again)
{
    if (is_list(row) && !again)
        clear_items(row, place_of(row, record));
    else if (again && !is_list(row))
        return "stands twice";
    return set_value(row, value, place_of(row, record));
}

/* `seen` marks the rows that this section of the file set already; NULL for a single setting. */
static int apply(struct conf *conf, const char *section, const char *key, const char *value, bool *seen,
                 char ret_error[CONF_ERROR_BYTES])
{
    struct target target = find_target(conf, section);
    const struct row *row = find_row(&target, section, key);
    if (!row || !target.record) {
        if (*section == '\0')
            snprintf(ret_error, CONF_ERROR_BYTES, "\"%.64s\" stands before any [section]", key);
        else if (!is_section(section))
            snprintf(ret_error, CONF_ERROR_BYTES, "there is no section [%.64s]", section);
        else
            snprintf(ret_error, CONF_ERROR_BYTES, "there is no setting \"%.64s\" in [%.64s]", key, section);
        return -1;
    }
    bool again = seen && seen[row - target.rows];
    const char *wrong = set_row(row, target.record, value, again);
    if (wrong) {
        bool secret = row->type == PROXIES;   /* passwords stand there */
        snprintf(ret_error, CONF_ERROR_BYTES, "[%.64s] %s = %.100s: %s (%s)", section, key,
                 secret ? "..." : value, wrong, row->help);
        return -1;
    }
    assert(target.rows == rows || target.count <= NAMED_ROWS);
    if (seen)
        seen[row - target.rows] = true;
    return 0;
}

int conf_set(struct conf *conf, const char *section, const char *key, const char *value,
             char ret_error[CONF_ERROR_BYTES])
{
    return apply(conf, section, key, value, NULL, ret_error);
}

struct reading {
    struct conf *conf;
    FILE *file;
    unsigned line;
    char section[LINE_BYTES];
    bool in_value;                 /* an indented line goes on with it */
    bool seen[NAMED_ROWS];         /* in this section, when it has a name */
    bool all_seen[ROW_COUNT];      /* in all others: theirs are unique */
    char error[CONF_ERROR_BYTES];
    unsigned error_line;
};

static void note_error(struct reading *reading, const char *error)
{
    if (reading->error_line > 0)
        return;
    reading->error_line = reading->line;
    snprintf(reading->error, sizeof reading->error, "%s", error);
}

/* inih cuts a section's name at 49 bytes and at its first ], and says nothing of an empty section:
 * so it is read here. */
static void note_section(struct reading *reading, const char *line)
{
    const char *start = line + strspn(line, " \t"), *comment = strstr(start, " ;");
    size_t length = comment ? (size_t)(comment - start) : strlen(start);
    if (*start != '[' || (start > line && reading->in_value))
        return;
    while (length > 1 && start[length - 1] != ']')
        length--;
    snprintf(reading->section, sizeof reading->section, "%.*s", (int)(length > 2 ? length - 2 : 0), start + 1);
    reading->in_value = false;
    memset(reading->seen, 0, sizeof reading->seen);
    if (length > 1 && !is_section(reading->section)) {
        char error[CONF_ERROR_BYTES];
        snprintf(error, sizeof error, "there is no section [%.64s]", reading->section);
        note_error(reading, error);
    }
}

/* inih cuts a long line in two and parses the rest as a line of its own: refused instead. */
static char *on_ini_line(char *line, int size, void *stream)
{
    struct reading *reading = stream;
    char *got = fgets(line, size < LINE_BYTES ? size : LINE_BYTES, reading->file);
    if (!got)
        return NULL;
    reading->line++;
    if (!strchr(line, '\n') && !feof(reading->file)) {
        note_error(reading, "the line is too long; a list may go on in indented lines");
        return NULL;
    }
    note_section(reading, reading->line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0 ? line + 3 : line);
    return got;
}

static int on_ini_setting(void *user, const char *section, const char *key, const char *value)
{
    struct reading *reading = user;
    char error[CONF_ERROR_BYTES];
    (void)section;
    reading->in_value = true;
    bool *seen = has_name(reading->section) ? reading->seen : reading->all_seen;
    if (apply(reading->conf, reading->section, key, value ? value : "", seen, error) == 0)
        return 1;
    note_error(reading, error);
    return 0;
}

int conf_read(struct conf *conf, const char *file, char ret_error[CONF_ERROR_BYTES])
{
    struct reading reading = { .conf = conf, .file = fopen(file, "r") };
    if (!reading.file) {
        snprintf(ret_error, CONF_ERROR_BYTES, "%s: %s", file, strerror(errno));
        return -1;
    }
    /* Both callbacks want the same context: the stream is given as such, the user by pointer. */
    int result = ini_parse_stream(on_ini_line, &reading, on_ini_setting, &reading);
    bool unreadable = result < 0 || ferror(reading.file);
    fclose(reading.file);
    if (result > 0 && (reading.error_line == 0 || (unsigned)result < reading.error_line))
        snprintf(ret_error, CONF_ERROR_BYTES, "%.200s:%d: neither [section] nor key = value", file, result);
    else if (reading.error_line > 0)
        snprintf(ret_error, CONF_ERROR_BYTES, "%.160s:%u: %.300s", file, reading.error_line, reading.error);
    else if (unreadable)
        snprintf(ret_error, CONF_ERROR_BYTES, "%.200s: can't be read", file);
    return result == 0 && !unreadable && reading.error_line == 0 ? 0 : -1;
}

/* ---- writing ---- */

static void format_number(const struct row *row, uint64_t number, char *out, size_t size)
{
    const struct unit *units = row->type == DURATION ? durations : row->type == SIZE ? sizes : NULL;
    const struct unit *best = units;
    for (const struct unit *unit = units; unit && unit->name; unit++)
        if (number > 0 && number % unit->factor == 0)
            best = unit;
    if (number == 0 && row->type == DURATION)
        best = &durations[1];
    snprintf(out, size, "%llu%s", (unsigned long long)(best ? number / best->factor : number), best ? best->name : "");
}

static void print_number(const struct row *row, uint64_t number, FILE *out)
{
    char text[32];
    format_number(row, number, text, sizeof text);
    fputs(text, out);
}

/* In lines that can be read back: the reader's are bounded. */
static void print_item(const char *item, size_t *column, bool first, FILE *out)
{
    size_t length = strlen(item) + 2;
    bool breaks = !first && *column + length > PRINTED_COLUMNS;
    fprintf(out, "%s%s", first ? "" : breaks ? ",\n    " : ", ", item);
    *column = (breaks ? 4 : *column) + length;
}

static void print_value(const struct row *row, const void *record, FILE *out)
{
    const void *place = place_of(row, record);
    const struct conf_list *list = place;
    const struct conf_members *members = place;
    size_t column = strlen(row->key) + 3;
    switch (row->type) {
    case STRING: case PROGRAM: case HTTPS_URL: fputs(*(char *const *)place, out); break;
    case BOOLEAN: fputs(*(const bool *)place ? "yes" : "no", out); break;
    case NUMBER: case DURATION: case SIZE: print_number(row, *(const uint64_t *)place, out); break;
    case LIST: case RULES: case PROXIES:
        for (size_t i = 0; i < list->count; i++)
            print_item(list->items[i], &column, i == 0, out);
        break;
    case MEMBERS:
        for (size_t i = 0; i < members->count; i++)
            print_item(members->items[i].text, &column, i == 0, out);
        break;
    case CHOICE: {
        const char *word = row->words;
        for (uint64_t i = *(const uint64_t *)place; i > 0; i--)
            word += strcspn(word, " ") + 1;
        fprintf(out, "%.*s", (int)strcspn(word, " "), word);
        break;
    }
    }
}

static void print_row(const struct row *row, const void *record, FILE *out)
{
    static const char *const when[] = { "", " (new workers)", " (restart)" };
    fprintf(out, "; %s%s\n%s = ", row->help, when[row->when], row->key);
    print_value(row, record, out);
    fputc('\n', out);
}

static void print_set(const struct kind *kind, const struct conf *conf, FILE *out)
{
    const struct conf_set *set = set_of(kind, conf);
    fprintf(out, "\n%s", kind->help);
    for (size_t i = 0; i < set->count; i++) {
        fprintf(out, "%s[%s \"%s\"]\n", i ? "\n" : "", kind->name, *name_of(set->records[i]));
        for (size_t r = 0; r < kind->row_count; r++)
            print_row(&kind->rows[r], set->records[i], out);
    }
}

void conf_print(const struct conf *conf, FILE *out)
{
    fputs("; fetchd's settings, each at the value it has when its line is missing.\n"
          "; A reload (SIGHUP) applies them at once, but for those marked (new workers), which come with\n"
          "; the workers that the reload brings, and (restart).\n", out);
    for (size_t k = 0; k < SECTION_COUNT; k++) {
        fprintf(out, "\n%s%s%s[%s]\n", *sections[k].help ? "; " : "", sections[k].help,
                *sections[k].help ? "\n" : "", sections[k].name);
        for (size_t i = 0; i < ROW_COUNT; i++)
            if (strcmp(rows[i].section, sections[k].name) == 0)
                print_row(&rows[i], conf, out);
    }
    for (size_t k = 0; k < KIND_COUNT; k++)
        print_set(&kinds[k], conf, out);
}

/* ---- describing ---- */

static void describe_row(const struct row *row, const char *section, const char *about,
                         void (*on_setting)(const struct conf_setting *setting))
{
    static const char *const types[] = {
        [STRING] = "string", [PROGRAM] = "path", [HTTPS_URL] = "url", [LIST] = "list", [RULES] = "rules", [PROXIES] = "proxies",
        [MEMBERS] = "members", [NUMBER] = "number",
        [BOOLEAN] = "yes no", [DURATION] = "duration", [SIZE] = "size", [CHOICE] = "",
    };
    static const char *const when[] = { "live", "roll", "start" };
    struct conf_setting setting = {
        .section = section, .about = about, .key = row->key, .type = row->words ? row->words : types[row->type],
        .initial = row->initial, .when = when[row->when], .help = row->help,
    };
    bool is_number = row->type == NUMBER || row->type == DURATION || row->type == SIZE;
    if (is_number && (row->low > 0 || row->high < INT64_MAX))
        format_number(row, row->low, setting.low, sizeof setting.low);
    if (is_number && row->high < INT64_MAX)
        format_number(row, row->high, setting.high, sizeof setting.high);
    on_setting(&setting);
}

void conf_describe(void (*on_setting)(const struct conf_setting *setting))
{
    for (size_t k = 0; k < SECTION_COUNT; k++)
        for (size_t i = 0; i < ROW_COUNT; i++)
            if (strcmp(rows[i].section, sections[k].name) == 0)
                describe_row(&rows[i], sections[k].name, sections[k].help, on_setting);
    for (size_t k = 0; k < KIND_COUNT; k++)
        for (size_t i = 0; i < kinds[k].row_count; i++)
            describe_row(&kinds[k].rows[i], kinds[k].name, kinds[k].help, on_setting);
}

/* ---- comparing ---- */

static bool same_list(const struct conf_list *a, const struct conf_list *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = strcmp(a->items[i], b->items[i]) == 0;
    return same;
}

static bool same_members(const struct conf_members *a, const struct conf_members *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = strcmp(a->items[i].text, b->items[i].text) == 0;
    return same;
}

static bool same_value(const struct row *row, const void *a, const void *b)
{
    const void *left = place_of(row, a), *right = place_of(row, b);
    switch (row->type) {
    case STRING: case PROGRAM: case HTTPS_URL: return strcmp(*(char *const *)left, *(char *const *)right) == 0;
    case LIST: case RULES: case PROXIES: return same_list(left, right);
    case MEMBERS: return same_members(left, right);
    case BOOLEAN: return *(const bool *)left == *(const bool *)right;
    case NUMBER: case DURATION: case SIZE: case CHOICE: return *(const uint64_t *)left == *(const uint64_t *)right;
    }
    return true;
}

/* What holds under a name: its section, or one with every value at its start. */
static const void *record_or(const struct kind *kind, const struct conf *conf, const char *name, const void *fresh)
{
    const struct conf_set *set = set_of(kind, conf);
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(*name_of(set->records[i]), name) == 0)
            return set->records[i];
    return fresh;
}

static bool same_record(const struct kind *kind, const struct row *row, const struct conf *running,
                        const struct conf *wanted, const void *fresh)
{
    const struct conf *const both[] = { running, wanted };
    for (size_t k = 0; k < 2; k++) {
        const struct conf_set *set = set_of(kind, both[k]);
        for (size_t i = 0; i < set->count; i++) {
            const char *name = *name_of(set->records[i]);
            if (!same_value(row, record_or(kind, running, name, fresh), record_or(kind, wanted, name, fresh)))
                return false;
        }
    }
    return true;
}

static void compare_sets(const struct kind *kind, const struct conf *running, const struct conf *wanted,
                         void (*on_difference)(const char *section, const char *key, void *context), void *context)
{
    void *fresh = create_record(kind, "", 0);
    for (size_t r = 0; fresh && r < kind->row_count; r++)
        if (kind->rows[r].when == START && !same_record(kind, &kind->rows[r], running, wanted, fresh))
            on_difference(kind->name, kind->rows[r].key, context);
    destroy_record(kind, fresh);
}

void conf_compare(const struct conf *running, const struct conf *wanted,
                  void (*on_difference)(const char *section, const char *key, void *context), void *context)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].when == START && !same_value(&rows[i], running, wanted))
            on_difference(rows[i].section, rows[i].key, context);
    for (size_t k = 0; k < KIND_COUNT; k++)
        compare_sets(&kinds[k], running, wanted, on_difference, context);
}
