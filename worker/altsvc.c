/* Alt-Svc's grammar, and the table of what it said. */
#include "altsvc.h"

#include "check.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_AGE_S (24 * 3600)
#define MOST_AGE_S (365 * 24 * 3600)
#define FIRST_REST_S 300           /* after a failure; doubles with each */
#define MOST_REST_S (24 * 3600)

struct known_place {
    struct altsvc_place place;
    uint64_t until_s, rests_until_s, rest_s;
    bool persists;
};

struct altsvc_entry {
    struct altsvc_entry *next;
    struct known_place places[ALTSVC_PLACES];
    unsigned count;
    uint64_t jar;
    char key[];
};

/* ---- grammar ---- */

struct reader { const char *at, *end; };

static bool take(struct reader *reader, char wanted)
{
    if (reader->at == reader->end || *reader->at != wanted)
        return false;
    reader->at++;
    return true;
}

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t'))
        reader->at++;
}

static bool is_token_char(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static struct ipc_text read_token(struct reader *reader)
{
    const char *start = reader->at;
    while (reader->at < reader->end && is_token_char(*reader->at))
        reader->at++;
    return (struct ipc_text){ start, (size_t)(reader->at - start) };
}

/* "..." into `place`, the backslashes taken out. False when it is no quoted string or too long. */
static bool read_quoted(struct reader *reader, char *place, size_t size)
{
    size_t length = 0;
    if (!take(reader, '"'))
        return false;
    while (reader->at < reader->end && *reader->at != '"') {
        take(reader, '\\');
        if (reader->at == reader->end || length + 1 >= size)
            return false;
        place[length++] = *reader->at++;
    }
    place[length] = '\0';
    return take(reader, '"');
}

static bool read_number(const char *text, size_t length, uint64_t most, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (length == 0)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
        value = value > most ? most : value;
    }
    *ret_value = value;
    return true;
}

/* A name or an IPv4 address, or an IPv6 address that stood in brackets. libcurl is given it as text. */
static bool take_host(struct altsvc_place *place, const char *text, size_t length)
{
    bool six = length > 2 && text[0] == '[' && text[length - 1] == ']';
    if (six) {
        text++;
        length -= 2;
    }
    if (length == 0 || length > 253)
        return false;
    for (size_t i = 0; i < length; i++) {
        bool fits = six ? isxdigit((unsigned char)text[i]) || text[i] == ':' || text[i] == '.'
            : isalnum((unsigned char)text[i]) || text[i] == '-' || text[i] == '.' || text[i] == '_';
        if (!fits)
            return false;
        place->host[i] = (char)tolower((unsigned char)text[i]);
    }
    place->host[length] = '\0';
    return six == (strchr(place->host, ':') != NULL);
}

/* [host]:port; without a host, the origin's. */
static bool take_authority(struct altsvc_place *place, const char *text)
{
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    if (!colon || strlen(colon + 1) > 5 || !read_number(colon + 1, strlen(colon + 1), 99999, &port)
        || port == 0 || port > 65535)
        return false;
    place->port = (unsigned)port;
    return colon == text || take_host(place, text, (size_t)(colon - text));
}

static bool read_parameter(struct reader *reader, struct known_place *known, uint64_t *age_s)
{
    char quoted[64];
    skip_space(reader);
    struct ipc_text name = read_token(reader);
    if (name.length == 0 || !take(reader, '='))
        return false;
    struct ipc_text value = read_token(reader);
    if (value.length == 0) {
        if (!read_quoted(reader, quoted, sizeof quoted))
            return false;
        value = ipc_text(quoted);
    }
    if (ipc_text_is(name, "ma"))
        return read_number(value.data, value.length, MOST_AGE_S, age_s);
    if (ipc_text_is(name, "persist"))
        known->persists = ipc_text_is(value, "1");
    return true;
}

/* What an answer says of itself. */
struct context { const struct altsvc_origin *origin; bool from_public; uint64_t now_s, age_s; };

static void set_up(struct known_place *known, const struct altsvc_origin *origin)
{
    size_t length = origin->host.length < sizeof known->place.host ? origin->host.length : 0;
    memset(known, 0, sizeof *known);
    for (size_t i = 0; i < length; i++)
        known->place.host[i] = (char)tolower((unsigned char)origin->host.data[i]);
}

/* protocol="authority"; name=value ... False when it is broken. */
static bool read_value(struct reader *reader, const struct context *context, struct known_place *known,
                       bool *ret_wanted)
{
    char authority[300], own_host[256];
    uint64_t age_s = DEFAULT_AGE_S;
    set_up(known, context->origin);
    memcpy(own_host, known->place.host, sizeof own_host);
    struct ipc_text protocol = read_token(reader);
    if (protocol.length == 0 || !take(reader, '=') || !read_quoted(reader, authority, sizeof authority)
        || !take_authority(&known->place, authority))
        return false;
    for (skip_space(reader); take(reader, ';'); skip_space(reader))
        if (!read_parameter(reader, known, &age_s))
            return false;
    known->place.other_host = strcmp(known->place.host, own_host) != 0;
    known->place.elsewhere = known->place.other_host || known->place.port != context->origin->port;
    known->place.from_public = context->from_public && known->place.other_host;
    known->until_s = context->now_s + (age_s > context->age_s ? age_s - context->age_s : 0);
    *ret_wanted = ipc_text_is(protocol, "h3") && known->until_s > context->now_s;
    return true;
}

static struct known_place *find_place(struct altsvc_entry *entry, const struct altsvc_place *place)
{
    for (unsigned i = 0; entry && i < entry->count; i++) {
        const struct altsvc_place *known = &entry->places[i].place;
        if (known->port == place->port && strcmp(known->host, place->host) == 0)
            return &entry->places[i];
    }
    return NULL;
}

/* One field: values with commas between. `clear` stands alone and names nothing. */
static bool read_field(struct ipc_bytes value, const struct context *context, struct altsvc_entry *entry)
{
    struct reader reader = { (const char *)value.data, (const char *)value.data + value.length };
    if (value.length == 5 && memcmp(value.data, "clear", 5) == 0)
        return true;
    for (;;) {
        struct known_place known;
        bool wanted = false;
        skip_space(&reader);
        if (!read_value(&reader, context, &known, &wanted))
            return false;
        if (wanted && entry->count < ALTSVC_PLACES && !find_place(entry, &known.place))
            entry->places[entry->count++] = known;
        skip_space(&reader);
        if (reader.at == reader.end)
            return true;
        if (!take(&reader, ','))
            return false;
    }
}

/* All fields of an answer. False when it has none, or a broken one. */
static bool read_fields(struct ipc_pairs headers, struct context *context, struct altsvc_entry *entry)
{
    bool found = false;
    for (size_t i = 0; i < headers.count; i++) {
        struct ipc_bytes value = headers.items[i].value;
        if (check_name_is(headers.items[i].name, "age"))
            read_number((const char *)value.data, value.length, MOST_AGE_S, &context->age_s);
    }
    for (size_t i = 0; i < headers.count; i++) {
        if (!check_name_is(headers.items[i].name, "alt-svc"))
            continue;
        if (!read_field(headers.items[i].value, context, entry))
            return false;
        found = true;
    }
    return found;
}

/* ---- the table ---- */

static struct altsvc_entry **find(struct altsvc *table, const struct altsvc_origin *origin)
{
    struct altsvc_entry **link = &table->entries;
    while (*link && ((*link)->jar != origin->jar || strcmp((*link)->key, origin->key) != 0))
        link = &(*link)->next;
    return link;
}

static void drop(struct altsvc *table, struct altsvc_entry **link)
{
    struct altsvc_entry *entry = *link;
    *link = entry->next;
    table->count--;
    free(entry);
}

/* How long a place that failed rests does not change because it is announced again. */
static void keep_rests(struct altsvc_entry *entry, struct altsvc_entry *before)
{
    for (unsigned i = 0; i < entry->count; i++) {
        const struct known_place *old = find_place(before, &entry->places[i].place);
        if (old) {
            entry->places[i].rests_until_s = old->rests_until_s;
            entry->places[i].rest_s = old->rest_s;
        }
    }
}

static uint64_t end_of(const struct altsvc_entry *entry)
{
    uint64_t end_s = 0;
    for (unsigned i = 0; i < entry->count; i++)
        end_s = entry->places[i].until_s > end_s ? entry->places[i].until_s : end_s;
    return end_s;
}

static void make_room(struct altsvc *table)
{
    struct altsvc_entry **soonest = &table->entries;
    if (table->count < ALTSVC_ORIGINS)
        return;
    for (struct altsvc_entry **link = soonest; *link; link = &(*link)->next)
        if (end_of(*link) <= end_of(*soonest))
            soonest = link;
    drop(table, soonest);
}

void altsvc_learn(struct altsvc *table, const struct altsvc_origin *origin, struct ipc_pairs headers,
                  bool from_public, uint64_t now_s)
{
    struct context context = { origin, from_public, now_s, 0 };
    size_t length = strlen(origin->key) + 1;
    struct altsvc_entry *entry = calloc(1, sizeof *entry + length);
    if (!entry)
        return;
    entry->jar = origin->jar;
    memcpy(entry->key, origin->key, length);
    if (!read_fields(headers, &context, entry)) {
        free(entry);
        return;
    }
    struct altsvc_entry **before = find(table, origin);
    keep_rests(entry, *before);
    if (*before)
        drop(table, before);
    if (entry->count == 0) {
        free(entry);
        return;
    }
    make_room(table);
    entry->next = table->entries;
    table->entries = entry;
    table->count++;
}

bool altsvc_find(struct altsvc *table, const struct altsvc_origin *origin, uint64_t now_s,
                 struct altsvc_place *ret_place)
{
    struct altsvc_entry **link = find(table, origin);
    if (!*link)
        return false;
    for (unsigned i = 0; i < (*link)->count; i++) {
        const struct known_place *known = &(*link)->places[i];
        if (known->until_s > now_s && known->rests_until_s <= now_s) {
            *ret_place = known->place;
            return true;
        }
    }
    if (end_of(*link) <= now_s)
        drop(table, link);
    return false;
}

void altsvc_failed(struct altsvc *table, const struct altsvc_origin *origin, const struct altsvc_place *place,
                   uint64_t now_s)
{
    struct known_place *known = find_place(*find(table, origin), place);
    if (!known)
        return;
    known->rest_s = known->rest_s ? known->rest_s * 2 : FIRST_REST_S;
    known->rest_s = known->rest_s > MOST_REST_S ? MOST_REST_S : known->rest_s;
    known->rests_until_s = now_s + known->rest_s;
}

void altsvc_worked(struct altsvc *table, const struct altsvc_origin *origin, const struct altsvc_place *place)
{
    struct known_place *known = find_place(*find(table, origin), place);
    if (known)
        known->rest_s = known->rests_until_s = 0;
}

void altsvc_moved(struct altsvc *table)
{
    struct altsvc_entry **link = &table->entries;
    while (*link) {
        struct altsvc_entry *entry = *link;
        unsigned kept = 0;
        for (unsigned i = 0; i < entry->count; i++)
            if (entry->places[i].persists)
                entry->places[kept++] = entry->places[i];
        entry->count = kept;
        if (kept == 0)
            drop(table, link);
        else
            link = &entry->next;
    }
}

void altsvc_finish(struct altsvc *table)
{
    while (table->entries)
        drop(table, &table->entries);
}
