/* The configuration, read, checked and printed by the rows of settings.def. */
#include "conf.h"

#include "rule.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

enum type { STRING, LIST, RULES, NUMBER, BOOLEAN, DURATION, SIZE, CHOICE };
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
#define RANGE_LIST(low, high) (low), (high), NULL
#define RANGE_RULES(low, high) (low), (high), NULL
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

/* The same for a section that comes with a name. */
#define SETTING(section, key, TYPE, field, initial, low, high, when, help)                                    \
    { #section, #key, TYPE, offsetof(struct conf_origin, field), initial, RANGE_##TYPE(low, high), when, help },
static const struct row origin_rows[] = {
#include "origin.def"
};
#define ORIGIN_ROW_COUNT (sizeof origin_rows / sizeof origin_rows[0])

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

static bool is_list(const struct row *row)
{
    return row->type == LIST || row->type == RULES;
}

static const char *add_item(const struct row *row, const char *item, size_t length, struct conf_list *list)
{
    const char *wrong = row->type == RULES ? conf_rule_check(item, length) : NULL;
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

static const char *add_items(const struct row *row, const char *text, struct conf_list *list)
{
    static const char between[] = ", \t\r\n";
    for (const char *at = text + strspn(text, between); *at;) {
        size_t length = strcspn(at, between);
        const char *wrong = add_item(row, at, length, list);
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
    case LIST: case RULES: return add_items(row, text, place);
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
        if (table[i].type == STRING)
            free(*(char **)place_of(&table[i], record));
        else if (is_list(&table[i]))
            clear_list(place_of(&table[i], record));
    }
}

static bool init_rows(const struct row *table, size_t count, void *record)
{
    for (size_t i = 0; i < count; i++)
        if (set_value(&table[i], table[i].initial, place_of(&table[i], record)) != NULL)
            return false;
    return true;
}

static void destroy_origin(struct conf_origin *origin)
{
    if (!origin)
        return;
    finish_rows(origin_rows, ORIGIN_ROW_COUNT, origin);
    free(origin->pattern);
    free(origin);
}

static struct conf_origin *create_origin(const char *pattern, size_t length)
{
    struct conf_origin *origin = calloc(1, sizeof *origin);
    if (origin && (!(origin->pattern = strndup(pattern, length)) || !init_rows(origin_rows, ORIGIN_ROW_COUNT, origin))) {
        destroy_origin(origin);
        return NULL;
    }
    return origin;
}

/* The section of a pattern, made when it is new; before the last one, which holds the defaults. */
static struct conf_origin *find_origin(struct conf *conf, const char *pattern, size_t length)
{
    for (size_t i = 0; i < conf->origin_count; i++)
        if (strlen(conf->origins[i]->pattern) == length && memcmp(conf->origins[i]->pattern, pattern, length) == 0)
            return conf->origins[i];
    struct conf_origin **origins = realloc(conf->origins, (conf->origin_count + 1) * sizeof *origins);
    if (!origins)
        return NULL;
    conf->origins = origins;
    struct conf_origin *origin = create_origin(pattern, length);
    if (!origin)
        return NULL;
    size_t at = conf->origin_count ? conf->origin_count - 1 : 0;
    memmove(origins + at + 1, origins + at, (conf->origin_count - at) * sizeof *origins);
    origins[at] = origin;
    conf->origin_count++;
    return origin;
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
    size_t i = 0;
    while (i + 1 < conf->origin_count && !matches(conf->origins[i]->pattern, key)
           && !matches(conf->origins[i]->pattern, host))
        i++;
    return conf->origins[i];
}

void conf_destroy(struct conf *conf)
{
    if (!conf)
        return;
    finish_rows(rows, ROW_COUNT, conf);
    for (size_t i = 0; i < conf->origin_count; i++)
        destroy_origin(conf->origins[i]);
    free(conf->origins);
    free(conf);
}

struct conf *conf_create(void)
{
    struct conf *conf = calloc(1, sizeof *conf);
    if (conf && (!init_rows(rows, ROW_COUNT, conf) || !find_origin(conf, "*", 1))) {
        conf_destroy(conf);
        return NULL;
    }
    return conf;
}

/* ---- reading ---- */

/* Where a line goes: the rows of its section's table, and the record they fill. */
struct target { const struct row *rows; size_t count; void *record; };

/* [origin "PATTERN"]: the pattern, NULL for another section. */
static const char *origin_pattern(const char *section, size_t *ret_length)
{
    size_t length = strlen(section);
    if (strncmp(section, "origin \"", 8) != 0 || length < 10 || section[length - 1] != '"')
        return NULL;
    *ret_length = length - 9;
    return section + 8;
}

static struct target find_target(struct conf *conf, const char *section)
{
    size_t length;
    const char *pattern = origin_pattern(section, &length);
    if (pattern)
        return (struct target){ origin_rows, ORIGIN_ROW_COUNT, find_origin(conf, pattern, length) };
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

static bool is_section(const char *name)
{
    size_t length;
    for (size_t i = 0; i < SECTION_COUNT; i++)
        if (strcmp(sections[i].name, name) == 0)
            return true;
    return origin_pattern(name, &length) != NULL;
}

static const char *set_row(const struct row *row, void *record, const char *value, bool again)
{
    if (is_list(row) && !again)
        clear_list(place_of(row, record));
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
        snprintf(ret_error, CONF_ERROR_BYTES, "[%.64s] %s = %.100s: %s (%s)", section, key, value, wrong, row->help);
        return -1;
    }
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
    bool seen[ORIGIN_ROW_COUNT];   /* in this [origin "..."] section */
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
    size_t length;
    (void)section;
    reading->in_value = true;
    bool *seen = origin_pattern(reading->section, &length) ? reading->seen : reading->all_seen;
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

static void print_number(const struct row *row, uint64_t number, FILE *out)
{
    const struct unit *units = row->type == DURATION ? durations : row->type == SIZE ? sizes : NULL;
    const struct unit *best = units;
    for (const struct unit *unit = units; unit && unit->name; unit++)
        if (number > 0 && number % unit->factor == 0)
            best = unit;
    if (number == 0 && row->type == DURATION)
        best = &durations[1];
    fprintf(out, "%llu%s", (unsigned long long)(best ? number / best->factor : number), best ? best->name : "");
}

static void print_value(const struct row *row, const void *record, FILE *out)
{
    const void *place = place_of(row, record);
    const struct conf_list *list = place;
    switch (row->type) {
    case STRING: fputs(*(char *const *)place, out); break;
    case BOOLEAN: fputs(*(const bool *)place ? "yes" : "no", out); break;
    case NUMBER: case DURATION: case SIZE: print_number(row, *(const uint64_t *)place, out); break;
    case LIST: case RULES:
        for (size_t i = 0; i < list->count; i++)
            fprintf(out, "%s%s", i == 0 ? "" : i % 8 == 0 ? "\n    " : ", ", list->items[i]);
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
    fputs("\n; for origins that match: their URL's start (https://example.com:443) or host, with * and ?; the first\n"
          "; section that matches holds\n", out);
    for (size_t k = 0; k < conf->origin_count; k++) {
        fprintf(out, "%s[origin \"%s\"]\n", k ? "\n" : "", conf->origins[k]->pattern);
        for (size_t i = 0; i < ORIGIN_ROW_COUNT; i++)
            print_row(&origin_rows[i], conf->origins[k], out);
    }
}

/* ---- comparing ---- */

static bool same_list(const struct conf_list *a, const struct conf_list *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = strcmp(a->items[i], b->items[i]) == 0;
    return same;
}

static bool same_value(const struct row *row, const struct conf *a, const struct conf *b)
{
    const void *left = place_of(row, a), *right = place_of(row, b);
    switch (row->type) {
    case STRING: return strcmp(*(char *const *)left, *(char *const *)right) == 0;
    case LIST: case RULES: return same_list(left, right);
    case BOOLEAN: return *(const bool *)left == *(const bool *)right;
    case NUMBER: case DURATION: case SIZE: case CHOICE: return *(const uint64_t *)left == *(const uint64_t *)right;
    }
    return true;
}

void conf_compare(const struct conf *running, const struct conf *wanted,
                  void (*on_difference)(const char *section, const char *key, void *context), void *context)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].when == START && !same_value(&rows[i], running, wanted))
            on_difference(rows[i].section, rows[i].key, context);
}
