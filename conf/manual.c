/* Prints the settings as scdoc, for fetchd.ini(5): each row of the tables with its type, default, range and when a
 * change of it applies. Built to make the page, not installed. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum type { STRING, LIST, RULES, NUMBER, BOOLEAN, DURATION, SIZE, CHOICE };
enum when { LIVE, ROLL, START };

struct row {
    const char *section, *key;
    enum type type;
    const char *initial;
    uint64_t low, high;
    const char *words;   /* of a CHOICE */
    enum when when;
    const char *help;
};

#define RANGE_STRING(low, high)    0, 0, NULL
#define RANGE_LIST(low, high)      0, 0, NULL
#define RANGE_RULES(low, high)     0, 0, NULL
#define RANGE_NUMBER(low, high)    (low), (high), NULL
#define RANGE_BOOLEAN(low, high)   0, 0, NULL
#define RANGE_DURATION(low, high)  (low), (high), NULL
#define RANGE_SIZE(low, high)      (low), (high), NULL
#define RANGE_CHOICE(words, unused) 0, 0, words

static const struct row rows[] = {
#define SETTING(section, key, TYPE, field, initial, low, high, when, help)                         \
    { #section, #key, TYPE, initial, RANGE_##TYPE(low, high), when, help },
#include "settings.def"
#define SETTING(section, key, TYPE, field, initial, low, high, when, help)                         \
    { #section, #key, TYPE, initial, RANGE_##TYPE(low, high), when, help },
#include "origin.def"
};

static const struct { const char *name, *title, *help; } sections[] = {
#define SECTION(name, help) { #name, #name, help },
#include "settings.def"
    { "origin", "origin \"PATTERN\"",
      "for origins that match: the pattern is compared with the origin (https://example.com:443) and its host, with * and "
      "?; the first section that matches holds" },
};

/* Text for scdoc, in which these mean something. */
static void put(const char *text)
{
    for (; *text; text++) {
        if (strchr("\\*_`", *text))
            putchar('\\');
        putchar(*text);
    }
}

struct unit { const char *name; uint64_t factor; };

static void put_number(enum type type, uint64_t number)
{
    static const struct unit durations[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { NULL, 0 } };
    static const struct unit sizes[] = { { "B", 1 }, { "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 },
                                         { NULL, 0 } };
    static const struct unit none[] = { { "", 1 }, { NULL, 0 } };
    const struct unit *best = type == DURATION ? durations : type == SIZE ? sizes : none;
    for (const struct unit *unit = best; unit->name; unit++)
        if (number > 0 && number % unit->factor == 0)
            best = unit;
    printf("%" PRIu64 "%s", number / best->factor, best->name);
}

static void put_words(const char *words)
{
    for (; *words; words++)
        fputs((const char[]){ *words == ' ' ? '|' : *words, '\0' }, stdout);
}

static void put_type(const struct row *row)
{
    static const char *const names[] = { "string", "list", "rules", "number", "yes|no", "duration", "size", "" };
    putchar('_');
    if (row->type == CHOICE)
        put_words(row->words);
    else
        fputs(names[row->type], stdout);
    putchar('_');
}

static void put_range(const struct row *row)
{
    if (row->high == 0)
        return;
    if (row->high >= INT64_MAX) {
        if (row->low > 0) {
            fputs(" At least ", stdout);
            put_number(row->type, row->low);
            putchar('.');
        }
        return;
    }
    fputs(" From ", stdout);
    put_number(row->type, row->low);
    fputs(" to ", stdout);
    put_number(row->type, row->high);
    putchar('.');
}

static void put_row(const struct row *row)
{
    static const char *const when[] = { "live", "roll", "start" };
    printf("*");
    put(row->key);
    printf("* = ");
    put_type(row);
    printf("\n\t");
    put(row->help);
    printf(".");
    put_range(row);
    printf(" Default: ");
    if (row->initial[0])
        put(row->initial);
    else
        printf("empty");
    printf(". _%s_\n\n", when[row->when]);
}

int main(void)
{
    for (size_t k = 0; k < sizeof sections / sizeof sections[0]; k++) {
        printf("# [%s]\n\n", sections[k].title);
        if (sections[k].help[0]) {
            put(sections[k].help);
            printf(".\n\n");
        }
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
            if (strcmp(rows[i].section, sections[k].name) == 0)
                put_row(&rows[i]);
    }
    return ferror(stdout) ? 1 : 0;
}
