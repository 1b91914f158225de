#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };
static const char *const months[] = { "January", "February", "March", "April", "May", "June", "July", "August",
                                      "September", "October", "November", "December" };

/* A whole name or its first three letters. NULL for none. */
static const char *read_name(const char *text, const char *const *names, int count, int *ret_number)
{
    for (int i = 0; i < count; i++) {
        size_t length = strlen(names[i]);
        if (strncasecmp(text, names[i], length) != 0)
            length = 3;
        if (strncasecmp(text, names[i], length) != 0)
            continue;
        *ret_number = i;
        return text + length;
    }
    return NULL;
}

static const char *skip_space(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

static const char *read_number(const char *text, int digits, int least, int most, int *ret_number)
{
    int number = 0, seen = 0;
    text = skip_space(text);
    for (; seen < digits && *text >= '0' && *text <= '9'; seen++, text++)
        number = 10 * number + (*text - '0');
    if (seen == 0 || number < least || number > most)
        return NULL;
    *ret_number = number;
    return text;
}

/* POSIX: 69 to 99 are of the last century. */
static const char *read_short_year(const char *text, int *ret_year)
{
    int year;
    text = read_number(text, 2, 0, 99, &year);
    if (text)
        *ret_year = year < 69 ? year + 100 : year;
    return text;
}

static const char *read_year(const char *text, int *ret_year)
{
    int year;
    text = read_number(text, 4, 0, 9999, &year);
    if (text)
        *ret_year = year - 1900;
    return text;
}

static const char *read_month(const char *text, int *ret_month)
{
    int month;
    text = read_number(text, 2, 1, 12, &month);
    if (text)
        *ret_month = month - 1;
    return text;
}

static const char *read_field(const char *text, char field, struct tm *broken)
{
    switch (field) {
    case 'a': case 'A': return read_name(text, days, 7, &broken->tm_wday);
    case 'b': case 'B': return read_name(text, months, 12, &broken->tm_mon);
    case 'd': case 'e': return read_number(text, 2, 1, 31, &broken->tm_mday);
    case 'H': return read_number(text, 2, 0, 23, &broken->tm_hour);
    case 'M': return read_number(text, 2, 0, 59, &broken->tm_min);
    case 'S': return read_number(text, 2, 0, 60, &broken->tm_sec);
    case 'T': return strptime(text, "%H:%M:%S", broken);
    case 'Y': return read_year(text, &broken->tm_year);
    case 'y': return read_short_year(text, &broken->tm_year);
    case 'm': return read_month(text, &broken->tm_mon);
    case '%': return *text == '%' ? text + 1 : NULL;
    default: return NULL;
    }
}

char *strptime(const char *text, const char *format, struct tm *ret_broken)
{
    for (; text && *format; format++) {
        if (isspace((unsigned char)*format))
            text = skip_space(text);
        else if (*format == '%')
            text = read_field(text, *++format, ret_broken);
        else
            text = *text == *format ? text + 1 : NULL;
    }
    return (char *)(size_t)text;
}
