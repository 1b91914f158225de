/* Dates of HTTP. */
#include "date.h"

#include <string.h>

/* In the C locale, which this program never leaves. */
static const char *const forms[] = {
    "%a, %d %b %Y %H:%M:%S", "%A, %d-%b-%y %H:%M:%S", "%a %b %d %H:%M:%S %Y", "%d %b %Y %H:%M:%S", "%d %b %Y",
    "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%Y%m%d %H:%M:%S", "%Y%m%d",
};

static int is_rest(const char *rest)
{
    static const char *const zones[] = { "", "Z", " GMT", " UTC", " Z" };
    for (size_t i = 0; rest && i < sizeof zones / sizeof zones[0]; i++)
        if (strcmp(rest, zones[i]) == 0)
            return 1;
    return 0;
}

int date_read(const char *text, time_t *ret_time)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm broken = { 0 };
        if (!is_rest(strptime(text, forms[i], &broken)))
            continue;
        *ret_time = timegm(&broken);
        return 0;
    }
    return -1;
}

void date_write(time_t time, char ret_text[DATE_BYTES])
{
    struct tm broken;
    gmtime_r(&time, &broken);
    if (strftime(ret_text, DATE_BYTES, "%a, %d %b %Y %H:%M:%S GMT", &broken) == 0)
        ret_text[0] = '\0';
}
