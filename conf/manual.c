/* Prints the settings as scdoc, for fetchd.ini(5). Built to make the page, not installed. */
#include "conf.h"

#include <string.h>

/* Text for scdoc, in which some characters mean something, and without the marks of comments. */
static void put(const char *text)
{
    bool begins_line = true;
    for (; *text; text++) {
        if (begins_line && text[0] == ';' && text[1] == ' ')
            text++;
        else if (strchr("\\*_`", *text))
            printf("\\%c", *text);
        else
            putchar(*text);
        begins_line = *text == '\n';
    }
}

static void put_section(const struct conf_setting *setting)
{
    static char before[64];
    if (strcmp(before, setting->section) == 0)
        return;
    snprintf(before, sizeof before, "%s", setting->section);
    printf("# [%s]\n\n", setting->section);
    put(setting->about);
    puts("\n");
}

static void put_range(const struct conf_setting *setting)
{
    if (setting->high[0])
        printf(" From %s to %s.", setting->low, setting->high);
    else if (setting->low[0])
        printf(" At least %s.", setting->low);
}

static void on_setting(const struct conf_setting *setting)
{
    put_section(setting);
    putchar('*');
    put(setting->key);
    printf("* = _");
    for (const char *at = setting->type; *at; at++)
        putchar(*at == ' ' ? '|' : *at);
    printf("_\n\t");
    put(setting->help);
    printf(".");
    put_range(setting);
    printf(" Default: ");
    put(setting->initial[0] ? setting->initial : "empty");
    printf(". _%s_\n\n", setting->when);
}

int main(void)
{
    conf_describe(on_setting);
    return ferror(stdout) ? 1 : 0;
}
