/* Tables as scdoc. */
#include "manual.h"

#include "say.h"
#include "writeout.h"

#include <stdio.h>
#include <string.h>

/* Text in which nothing is meant for scdoc. */
static void put(const char *text)
{
    for (; *text; text++) {
        if (strchr("\\*_`", *text))
            putchar('\\');
        putchar(*text);
    }
}

static void print_synopsis(const struct command *commands)
{
    for (const struct command *command = commands; command->name; command++) {
        printf("*fetchctl %s*%s", command->name, options_any(command->command) ? " [_OPTIONS_]" : "");
        if (command->words[0]) {
            printf(" _");
            put(command->words);
            putchar('_');
        }
        puts("++");
    }
    puts("*fetchctl help* [_COMMAND_]++\n*fetchctl version*");
}

static void print_commands(const struct command *commands)
{
    for (const struct command *command = commands; command->name; command++) {
        printf("*%s*\n\t", command->name);
        put(command->help);
        puts("\n");
    }
}

/* "(get..., batch)" */
static void print_takers(const struct command *commands, unsigned takers)
{
    const char *before = "_(";
    if ((takers & COMMANDS_FETCHING) == COMMANDS_FETCHING) {
        printf("%sget...", before);
        takers &= ~(unsigned)COMMANDS_FETCHING;
        before = ", ";
    }
    for (const struct command *command = commands; command->name; command++) {
        if (!(takers & command->command))
            continue;
        printf("%s%s", before, command->name);
        before = ", ";
    }
    puts(")_");
}

static void print_option(const struct command *commands, const struct option_row *row)
{
    if (row->letter)
        printf("*-%c*, ", row->letter);
    printf("*--%s*", row->name);
    if (row->argument) {
        printf(" _");
        put(row->argument);
        putchar('_');
    }
    printf("\n\t");
    put(row->help);
    printf(". ");
    print_takers(commands, row->commands);
    putchar('\n');
}

static void print_options(const struct command *commands)
{
    struct option_row row;
    for (size_t i = 0; options_row(i, &row); i++)
        if (row.supported)
            print_option(commands, &row);
}

static void print_variables(const struct command *commands)
{
    const char *name;
    (void)commands;
    for (size_t i = 0; (name = writeout_variable(i)); i++) {
        printf("%s_", i > 0 ? ", " : "");
        put(name);
        putchar('_');
    }
    putchar('\n');
}

int manual_print(const struct command *commands, const char *part)
{
    static const struct { const char *name; void (*print)(const struct command *commands); } parts[] = {
        { "synopsis", print_synopsis }, { "commands", print_commands }, { "options", print_options },
        { "variables", print_variables },
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(parts[i].name, part) != 0)
            continue;
        parts[i].print(commands);
        return 0;
    }
    say("'%s' is no part of the manual", part);
    return EXIT_USAGE;
}
