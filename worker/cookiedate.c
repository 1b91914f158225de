/* RFC 6265bis, 5.1.1. */
#include "cookiedate.h"

#include <string.h>

struct date { bool has_time, has_day, has_month, has_year; unsigned hour, minute, second, day, month, year; };

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_delimiter(uint8_t c)
{
    return c == '\t' || (c >= 0x20 && c <= 0x2f) || (c >= 0x3b && c <= 0x40) || (c >= 0x5b && c <= 0x60)
        || (c >= 0x7b && c <= 0x7e);
}

/* So many digits at least and at most, and then something else. */
static bool read_digits(struct ipc_bytes *text, size_t least, size_t most, unsigned *ret_number)
{
    size_t count = 0;
    unsigned number = 0;
    while (count < text->length && is_digit(text->data[count])) {
        if (count == most)
            return false;
        number = number * 10 + (unsigned)(text->data[count++] - '0');
    }
    text->data += count;
    text->length -= count;
    *ret_number = number;
    return count >= least;
}

static bool skip_colon(struct ipc_bytes *text)
{
    if (text->length == 0 || text->data[0] != ':')
        return false;
    text->data++;
    text->length--;
    return true;
}

static bool read_time(struct ipc_bytes token, struct date *date)
{
    unsigned hour, minute, second;
    if (!read_digits(&token, 1, 2, &hour) || !skip_colon(&token) || !read_digits(&token, 1, 2, &minute)
        || !skip_colon(&token) || !read_digits(&token, 1, 2, &second))
        return false;
    date->hour = hour;
    date->minute = minute;
    date->second = second;
    return true;
}

static bool read_month(struct ipc_bytes token, unsigned *ret_month)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    for (unsigned month = 0; token.length >= 3 && month < 12; month++) {
        const char *name = names + 3 * (size_t)month;
        if ((token.data[0] | 0x20) == name[0] && (token.data[1] | 0x20) == name[1]
            && (token.data[2] | 0x20) == name[2]) {
            *ret_month = month + 1;
            return true;
        }
    }
    return false;
}

static bool take_number(struct ipc_bytes token, size_t least, size_t most, unsigned *ret_number)
{
    unsigned number;
    if (!read_digits(&token, least, most, &number))
        return false;
    *ret_number = number;
    return true;
}

/* Each token is the first of these that is still missing and that it can be. */
static void take_token(struct ipc_bytes token, struct date *date)
{
    if (!date->has_time && read_time(token, date))
        date->has_time = true;
    else if (!date->has_day && take_number(token, 1, 2, &date->day))
        date->has_day = true;
    else if (!date->has_month && read_month(token, &date->month))
        date->has_month = true;
    else if (!date->has_year && take_number(token, 2, 4, &date->year))
        date->has_year = true;
}

static unsigned days_of(unsigned month, unsigned year)
{
    static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

static bool is_whole(const struct date *date)
{
    return date->has_time && date->has_day && date->has_month && date->has_year && date->year >= 1601
        && date->hour <= 23 && date->minute <= 59 && date->second <= 59 && date->day >= 1
        && date->day <= days_of(date->month, date->year);
}

/* Days since 1970, of a year from 1970 on. */
static uint64_t days_until(const struct date *date)
{
    uint64_t years = date->year - 1, days = years * 365 + years / 4 - years / 100 + years / 400 - 719162;
    for (unsigned month = 1; month < date->month; month++)
        days += days_of(month, date->year);
    return days + date->day - 1;
}

bool cookiedate_read(struct ipc_bytes text, uint64_t *ret_time_s)
{
    struct date date = { .has_time = false };
    size_t at = 0;
    while (at < text.length) {
        while (at < text.length && is_delimiter(text.data[at]))
            at++;
        size_t start = at;
        while (at < text.length && !is_delimiter(text.data[at]))
            at++;
        if (at > start)
            take_token((struct ipc_bytes){ text.data + start, at - start }, &date);
    }
    if (date.has_year && date.year >= 70 && date.year <= 99)
        date.year += 1900;
    else if (date.has_year && date.year <= 69)
        date.year += 2000;
    if (!is_whole(&date))
        return false;
    *ret_time_s = date.year < 1970 ? 0
        : days_until(&date) * 86400 + date.hour * 3600 + date.minute * 60 + date.second;
    return true;
}
