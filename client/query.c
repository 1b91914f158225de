/* The query of a URL. */
#include "query.h"

#include <string.h>

/* RFC 3986, 2.3 */
static bool is_unreserved(unsigned char c)
{
    unsigned char lower = c | 0x20;
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

void query_encode(struct text *out, const void *data, size_t length)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < length; i++) {
        if (is_unreserved(bytes[i]))
            text_add_char(out, (char)bytes[i]);
        else if (bytes[i] == ' ')
            text_add_char(out, '+');
        else
            text_addf(out, "%%%02X", (unsigned)bytes[i]);
    }
}

void query_append(struct text *out, const char *url, const char *query)
{
    size_t length = strcspn(url, "#");
    const char *mark = memchr(url, '?', length);
    bool ends = mark && (mark + 1 == url + length || url[length - 1] == '&');
    text_add(out, url, length);
    if (!ends)
        text_add_char(out, mark ? '&' : '?');
    text_add_string(out, query);
    text_add_string(out, url + length);
}
