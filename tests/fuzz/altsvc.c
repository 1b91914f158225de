/* Lines of any bytes as Alt-Svc and Age fields: a place that comes of them is one that libcurl may be given
 * as text, and however many there are, the table stays small. */
#include "target.h"

#include "worker/altsvc.h"

#include <string.h>

#define FIELDS_MOST 8
#define HOSTS "abcdefghijklmnopqrstuvwxyz0123456789-._:"

static struct ipc_pair read_field(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *line = *at, *stop = memchr(line, '\n', (size_t)(end - line));
    struct ipc_pair pair = { { (const uint8_t *)"Alt-Svc", 7 }, { line, (size_t)((stop ? stop : end) - line) } };
    if (pair.value.length > 0 && line[0] == '+')
        pair = (struct ipc_pair){ { (const uint8_t *)"age", 3 }, { line + 1, pair.value.length - 1 } };
    *at = stop ? stop + 1 : end;
    return pair;
}

static void check_place(const struct altsvc_place *place)
{
    HOLDS(memchr(place->host, '\0', sizeof place->host));
    HOLDS(place->host[0] && place->host[strspn(place->host, HOSTS)] == '\0');
    HOLDS(place->port > 0 && place->port <= 65535);
    HOLDS(place->elsewhere == (place->port != 443 || strcmp(place->host, "a.example") != 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct altsvc_origin origin = { 1, "https://a.example:443", { "a.example", 9 }, 443 };
    struct altsvc table = { NULL, 0 };
    struct altsvc_place place;
    struct ipc_pair pairs[FIELDS_MOST];
    const uint8_t *at = data, *end = data + size;
    for (uint64_t now_s = 1; at < end; now_s++) {
        size_t count = 0;
        while (at < end && count < FIELDS_MOST)
            pairs[count++] = read_field(&at, end);
        altsvc_learn(&table, &origin, (struct ipc_pairs){ pairs, count }, true, now_s);
        HOLDS(table.count <= 1);
        for (unsigned i = 0; i < ALTSVC_PLACES && altsvc_find(&table, &origin, now_s, &place); i++) {
            check_place(&place);
            altsvc_failed(&table, &origin, &place, now_s);
        }
        HOLDS(!altsvc_find(&table, &origin, now_s, &place));
    }
    altsvc_finish(&table);
    return 0;
}
