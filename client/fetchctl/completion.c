/* Tables as shell functions. */
#include "completion.h"

#include "say.h"

#include <stdio.h>
#include <string.h>

/* What an argument is, as the shells can help with it. */
enum kind { NOTHING, FILES, AT_FILES, FOLDERS };

static enum kind kind_of(const char *argument)
{
    if (!argument)
        return NOTHING;
    if (strstr(argument, "DIR"))
        return FOLDERS;
    if (strstr(argument, "@FILE"))
        return AT_FILES;
    return strstr(argument, "FILE") ? FILES : NOTHING;
}

/* ---- bash ---- */

/* The words of all options of a kind, as the pattern of a case. False when there is none. */
static bool put_pattern(const char *command, unsigned mask, enum kind kind)
{
    struct option_row row;
    bool any = false;
    for (size_t i = 0; options_row(i, &row); i++) {
        if (!row.supported || !row.argument || !(row.commands & mask) || kind_of(row.argument) != kind)
            continue;
        printf("%s%s:--%s", any ? "|" : "    ", command, row.name);
        if (row.letter)
            printf("|%s:-%c", command, row.letter);
        any = true;
    }
    return any;
}

static void put_cases(const struct command *commands)
{
    static const struct { enum kind kind; const char *action; } actions[] = {
        { FILES, "COMPREPLY=($(compgen -P \"$prefix\" -f -- \"$current\"))" },
        { AT_FILES, "[[ $at ]] && COMPREPLY=($(compgen -P \"$prefix\" -f -- \"$current\"))" },
        { FOLDERS, "COMPREPLY=($(compgen -d -- \"$current\"))" },
        { NOTHING, ":" },
    };
    for (const struct command *command = commands; command->name; command++)
        for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
            if (put_pattern(command->name, command->command, actions[i].kind))
                printf(") %s; return ;;\n", actions[i].action);
}

/* Of "bash|zsh" the words; of what is to be replaced by something, URL say, nothing. */
static void put_choices(const char *words)
{
    size_t length = strspn(words, "abcdefghijklmnopqrstuvwxyz-|");
    if (words[length] && words[length] != ' ')
        return;
    for (size_t i = 0; i < length; i++)
        putchar(words[i] == '|' ? ' ' : words[i]);
}

static void put_words(const struct command *command)
{
    struct option_row row;
    printf("    %s) options='", command->name);
    for (size_t i = 0; options_row(i, &row); i++) {
        if (!row.supported || !(row.commands & command->command))
            continue;
        printf("--%s ", row.name);
        if (row.letter)
            printf("-%c ", row.letter);
    }
    put_choices(command->words);
    printf("'; files=%s ;;\n", kind_of(command->words) == FILES ? "yes" : "");
}

static void put_names(const struct command *commands)
{
    for (const struct command *command = commands; command->name; command++)
        printf("%s ", command->name);
    fputs("help version", stdout);
}

static void print_bash(const struct command *commands)
{
    fputs("# bash completion for fetchctl, printed by: fetchctl completion bash\n"
          "_fetchctl() {\n"
          "  local current=$2 previous=$3 command=${COMP_WORDS[1]} options='' files='' at='' prefix=''\n"
          "  COMPREPLY=()\n"
          "  if ((COMP_CWORD == 1)); then\n"
          "    COMPREPLY=($(compgen -W '",
          stdout);
    put_names(commands);
    fputs("' -- \"$current\"))\n"
          "    return\n"
          "  fi\n"
          "  # Where COMP_WORDBREAKS has its usual = and @, --option=value are three words and @file two.\n"
          "  [[ $previous != @ ]] || at=yes\n"
          "  [[ $previous != [=@] ]] || previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
          "  [[ $current != = ]] || current=''\n"
          "  [[ $current != @* ]] || at=yes prefix=@ current=${current#@}\n"
          "  compopt -o filenames 2>/dev/null\n"
          "  case $command:$previous in\n",
          stdout);
    put_cases(commands);
    fputs("  esac\n"
          "  case $command in\n",
          stdout);
    for (const struct command *command = commands; command->name; command++)
        put_words(command);
    fputs("    help) options='", stdout);
    put_names(commands);
    fputs("' ;;\n"
          "  esac\n"
          "  if [[ $files && $current != -* ]]; then\n"
          "    COMPREPLY=($(compgen -f -- \"$current\"))\n"
          "  else\n"
          "    COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
          "  fi\n"
          "}\n"
          "complete -F _fetchctl fetchctl\n",
          stdout);
}

/* ---- zsh ---- */

/* Inside '...[help]:ARGUMENT:action'. */
static void put_quoted(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\'", stdout);
        else if (strchr("[]:\\", *text))
            putchar('\\');
        putchar(*text);
    }
}

static void put_specification(const struct option_row *row)
{
    static const char *const actions[] = {
        [NOTHING] = "", [FILES] = "_files", [AT_FILES] = "_fetchctl_at_file", [FOLDERS] = "_files -/",
    };
    fputs("      ", stdout);
    if (row->repeats)
        fputs("'*'", stdout);
    else if (row->letter)
        printf("'(-%c --%s)'", row->letter, row->name);
    if (row->letter)
        printf("{-%c%s,--%s%s}", row->letter, row->argument ? "+" : "", row->name, row->argument ? "=" : "");
    else
        printf("--%s%s", row->name, row->argument ? "=" : "");
    fputs("'[", stdout);
    put_quoted(row->help);
    putchar(']');
    if (row->argument) {
        putchar(':');
        put_quoted(row->argument);
        printf(":%s", actions[kind_of(row->argument)]);
    }
    fputs("' \\\n", stdout);
}

static void put_arguments(const struct command *command)
{
    struct option_row row;
    printf("    %s)\n      _arguments -s -S \\\n", command->name);
    for (size_t i = 0; options_row(i, &row); i++)
        if (row.supported && (row.commands & command->command))
            put_specification(&row);
    fputs("      '*:", stdout);
    put_quoted(command->words[0] ? command->words : "nothing");
    fputs(kind_of(command->words) == FILES ? ":_files" : ":(", stdout);
    put_choices(command->words);
    puts(kind_of(command->words) == FILES ? "' ;;" : ")' ;;");
}

static void print_zsh(const struct command *commands)
{
    fputs("#compdef fetchctl\n"
          "# zsh completion for fetchctl, printed by: fetchctl completion zsh\n"
          "_fetchctl_at_file() {\n"
          "  compset -P @ && _files\n"
          "}\n"
          "_fetchctl() {\n"
          "  local -a commands\n"
          "  commands=(\n",
          stdout);
    for (const struct command *command = commands; command->name; command++) {
        printf("    '%s:", command->name);
        put_quoted(command->help);
        fputs("'\n", stdout);
    }
    fputs("    'help:the options of a command'\n"
          "    'version:versions'\n"
          "  )\n"
          "  if (( CURRENT == 2 )); then\n"
          "    _describe command commands\n"
          "    return\n"
          "  fi\n"
          "  shift words\n"
          "  (( CURRENT-- ))\n"
          "  case $words[1] in\n"
          "    help) _describe command commands ;;\n",
          stdout);
    for (const struct command *command = commands; command->name; command++)
        put_arguments(command);
    fputs("  esac\n"
          "}\n"
          "_fetchctl \"$@\"\n",
          stdout);
}

int completion_print(const struct command *commands, const char *shell)
{
    bool is_bash = strcmp(shell, "bash") == 0;
    if (!is_bash && strcmp(shell, "zsh") != 0) {
        say("there are completions for bash and zsh, not for '%s'", shell);
        return EXIT_USAGE;
    }
    if (is_bash)
        print_bash(commands);
    else
        print_zsh(commands);
    return 0;
}
