/* A line of a batch, read by one table. */
#include "entry.h"

#include "disk.h"
#include "base64.h"
#include "memory.h"

#include <assert.h>
#include <jansson.h>
#include <sha2.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define AT(field) offsetof(struct fetchd_options, field)

enum kind {
    WORD,        /* const char * */
    BYTES,       /* const void * and, at `size`, its size_t */
    YESNO,       /* bool */
    NUMBER,      /* unsigned */
    LONG_NUMBER, /* uint64_t */
    REDIRECTS,   /* int, in which 0 means the default */
    TEXTS,       /* const char *const * and, at `size`, their count */
    HEADERS,       /* pairs, in place of the command line's of their names */
    QUERY,         /* pairs */
    BODY,        /* as text */
    BODY_BASE64, /* as bytes */
    NAME,        /* of the file */
    ID,          /* anything; comes back in the answer */
};

static const struct field {
    const char *name;
    enum kind kind;
    size_t at, size;
} fields[] = {
    { "url", WORD, AT(url), 0 },
    { "method", WORD, AT(method), 0 },
    { "headers", HEADERS, 0, 0 },
    { "query", QUERY, 0, 0 },
    { "body", BODY, 0, 0 },
    { "body_base64", BODY_BASE64, 0, 0 },
    { "follow", YESNO, AT(follow), 0 },
    { "max_redirects", REDIRECTS, AT(max_redirects), 0 },
    { "compressed", YESNO, AT(compressed), 0 },
    { "fresh", YESNO, AT(fresh), 0 },
    { "http_version", WORD, AT(http_version), 0 },
    { "connect_timeout_ms", NUMBER, AT(connect_timeout_ms), 0 },
    { "headers_timeout_ms", NUMBER, AT(headers_timeout_ms), 0 },
    { "idle_timeout_ms", NUMBER, AT(idle_timeout_ms), 0 },
    { "total_timeout_ms", NUMBER, AT(total_timeout_ms), 0 },
    { "redirect_https_only", YESNO, AT(redirect_https_only), 0 },
    { "expect_timeout_ms", NUMBER, AT(expect_timeout_ms), 0 },
    { "max_header_bytes", LONG_NUMBER, AT(max_header_bytes), 0 },
    { "max_body_bytes", LONG_NUMBER, AT(max_body_bytes), 0 },
    { "rate_bytes", LONG_NUMBER, AT(rate_bytes), 0 },
    { "credentials", WORD, AT(credentials), 0 },
    { "proxy", WORD, AT(proxy), 0 },
    { "resolve", TEXTS, AT(resolve), AT(resolve_count) },
    { "ca_pem", BYTES, AT(ca_pem), AT(ca_pem_size) },
    { "cert_pem", BYTES, AT(cert_pem), AT(cert_pem_size) },
    { "key_pem", BYTES, AT(key_pem), AT(key_pem_size) },
    { "insecure", YESNO, AT(insecure), 0 },
    { "attempts", NUMBER, AT(attempts), 0 },
    { "retry_5xx", YESNO, AT(retry_5xx), 0 },
    { "ftp_tls", WORD, AT(ftp_tls), 0 },
    { "list_names", YESNO, AT(list_names), 0 },
    { "ftp_create_dirs", YESNO, AT(ftp_create_dirs), 0 },
    { "auth", WORD, AT(auth), 0 },
    { "bearer", WORD, AT(bearer), 0 },
    { "proxy_credentials", WORD, AT(proxy_credentials), 0 },
    { "proxy_auth", WORD, AT(proxy_auth), 0 },
    { "proxy_ca_pem", BYTES, AT(proxy_ca_pem), AT(proxy_ca_pem_size) },
    { "proxy_insecure", YESNO, AT(proxy_insecure), 0 },
    { "proxy_pool", WORD, AT(proxy_pool), 0 },
    { "proxy_key", WORD, AT(proxy_key), 0 },
    { "connect_to", TEXTS, AT(connect_to), AT(connect_to_count) },
    { "ca_extends", YESNO, AT(ca_extends), 0 },
    { "pinned_key", WORD, AT(pinned_key), 0 },
    { "tls_min", WORD, AT(tls_min), 0 },
    { "tls_max", WORD, AT(tls_max), 0 },
    { "tls_timeout_ms", NUMBER, AT(tls_timeout_ms), 0 },
    { "session", WORD, AT(session), 0 },
    { "output", NAME, 0, 0 },
    { "id", ID, 0, 0 },
};

#define FIELDS (sizeof fields / sizeof fields[0])

static void *place(struct entry *entry, size_t at)
{
    return (char *)&entry->asked + at;
}

/* ---- the kinds: NULL, or what was wanted ---- */

static const char *take_word(struct entry *entry, const struct field *field, const json_t *value)
{
    if (!json_is_string(value))
        return "a string";
    *(const char **)place(entry, field->at) = json_string_value(value);
    return NULL;
}

static const char *take_bytes(struct entry *entry, const struct field *field, const json_t *value)
{
    if (!json_is_string(value))
        return "a string";
    *(const void **)place(entry, field->at) = json_string_value(value);
    *(size_t *)place(entry, field->size) = json_string_length(value);
    return NULL;
}

static const char *take_yesno(struct entry *entry, const struct field *field, const json_t *value)
{
    if (!json_is_boolean(value))
        return "true or false";
    *(bool *)place(entry, field->at) = json_is_true(value);
    return NULL;
}

static const char *take_number(struct entry *entry, const struct field *field, const json_t *value)
{
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || (field->kind == NUMBER && number > UINT32_MAX))
        return "a number from 0";
    if (field->kind == NUMBER)
        *(unsigned *)place(entry, field->at) = (unsigned)number;
    else
        *(uint64_t *)place(entry, field->at) = (uint64_t)number;
    return NULL;
}

static const char *take_redirects(struct entry *entry, const struct field *field,
                                  const json_t *value)
{
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || number > 1000)
        return "a number from 0 to 1000";
    *(int *)place(entry, field->at) = number == 0 ? -1 : (int)number;
    return NULL;
}

static const char *take_texts(struct entry *entry, const struct field *field, const json_t *value)
{
    size_t count = json_array_size(value);
    const char **texts = must_allocate(count + 1, sizeof *texts);
    bool good = json_is_array(value);
    assert(entry->list_count < ENTRY_LISTS);   /* no name comes twice */
    entry->lists[entry->list_count++] = texts;
    for (size_t i = 0; i < count; i++) {
        texts[i] = json_string_value(json_array_get(value, i));
        good = good && texts[i];
    }
    *(const char *const **)place(entry, field->at) = texts;
    *(size_t *)place(entry, field->size) = good ? count : 0;
    return good ? NULL : "an array of strings";
}

static const char *take_body(struct entry *entry, const struct field *field, const json_t *value)
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);
    if (!text)
        return "a string";
    text_reset(&entry->body);
    if (field->kind == BODY)
        text_add(&entry->body, text, length);
    else if (base64_decode(&entry->body, text, length) < 0)
        return "Base64";
    if (entry->body.length > FETCHD_INLINE_BODY_BYTES)
        return "at most 786432 bytes";
    entry->asked.body = entry->body.data ? entry->body.data : "";
    entry->asked.body_size = entry->body.length;
    return NULL;
}

/* A file in the folder of --output-dir, nothing else: lists come from anywhere. */
static const char *take_name(struct entry *entry, const json_t *value)
{
    const char *name = json_string_value(value);
    if (!name || !*name || *name == '.' || strlen(name) > 200 || strpbrk(name, "/\\"))
        return "a file name without folders that does not begin with a dot";
    for (const char *at = name; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return "a file name without control characters";
    if (!disk_takes_name(name))
        return "a file name that this system takes";
    entry->output = name;
    return NULL;
}

static const char *take_id(struct entry *entry, const json_t *value)
{
    free(entry->id);
    entry->id = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    return entry->id ? NULL : "a value";
}

/* ---- pairs ---- */

static bool read_pair(const json_t *pair, struct fetchd_header *ret_pair)
{
    const json_t *value = json_array_get(pair, 1);
    *ret_pair = (struct fetchd_header){ json_string_value(json_array_get(pair, 0)), json_string_value(value) };
    return json_array_size(pair) == 2 && ret_pair->name && (ret_pair->value || json_is_null(value));
}

static bool read_array(const json_t *array, struct fetchd_header *pairs)
{
    bool good = true;
    for (size_t i = 0; good && i < json_array_size(array); i++)
        good = read_pair(json_array_get(array, i), &pairs[i]);
    return good;
}

static bool read_object(const json_t *object, struct fetchd_header *pairs)
{
    const char *name;
    json_t *value;
    bool good = true;
    json_object_foreach((json_t *)(uintptr_t)object, name, value) {
        *pairs = (struct fetchd_header){ name, json_string_value(value) };
        good = good && (pairs->value || json_is_null(value));
        pairs++;
    }
    return good;
}

/* An array of [name, value], or an object; a value may be null. NULL for anything else; else to be freed. */
static struct fetchd_header *read_pairs(const json_t *value, size_t *ret_count)
{
    bool is_object = json_is_object(value);
    size_t count = is_object ? json_object_size(value) : json_array_size(value);
    struct fetchd_header *pairs = must_allocate(count + 1, sizeof *pairs);
    *ret_count = count;
    if (is_object ? read_object(value, pairs) : json_is_array(value) && read_array(value, pairs))
        return pairs;
    free(pairs);
    return NULL;
}

static bool is_named(const struct fetchd_header *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(headers[i].name, name) == 0)
            return true;
    return false;
}

/* Of the command line's, those that the line does not name itself, then the line's. */
static void merge_headers(struct entry *entry, const struct fetchd_header *own, size_t count)
{
    const struct fetchd_header *defaults = entry->asked.headers;
    size_t merged = 0;
    entry->headers = must_allocate(entry->asked.header_count + count + 1, sizeof *entry->headers);
    for (size_t i = 0; i < entry->asked.header_count; i++)
        if (!is_named(own, count, defaults[i].name))
            entry->headers[merged++] = defaults[i];
    for (size_t i = 0; i < count; i++)
        entry->headers[merged++] = own[i];
    entry->asked.headers = entry->headers;
    entry->asked.header_count = merged;
}

static const char *take_pairs(struct entry *entry, const struct field *field, const json_t *value)
{
    size_t count;
    struct fetchd_header *pairs = read_pairs(value, &count);
    if (!pairs)
        return "an array of [name, value], or an object; a value may be null";
    if (field->kind == HEADERS) {
        merge_headers(entry, pairs, count);
        free(pairs);
        return NULL;
    }
    entry->asked.query = entry->query = pairs;
    entry->asked.query_count = count;
    return NULL;
}

/* ---- a line ---- */

static const char *take(struct entry *entry, const struct field *field, const json_t *value)
{
    switch (field->kind) {
    case WORD: return take_word(entry, field, value);
    case BYTES: return take_bytes(entry, field, value);
    case YESNO: return take_yesno(entry, field, value);
    case NUMBER:
    case LONG_NUMBER: return take_number(entry, field, value);
    case REDIRECTS: return take_redirects(entry, field, value);
    case TEXTS: return take_texts(entry, field, value);
    case HEADERS:
    case QUERY: return take_pairs(entry, field, value);
    case BODY:
    case BODY_BASE64: return take_body(entry, field, value);
    case NAME: return take_name(entry, value);
    case ID: return take_id(entry, value);
    }
    return "nothing";
}

static const struct field *find_field(const char *name)
{
    for (size_t i = 0; i < FIELDS; i++)
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    return NULL;
}

/* A value of null is as if the name were not there. */
static void take_object(struct entry *entry)
{
    const char *name, *url = json_string_value(json_object_get(entry->json, "url"));
    json_t *value;
    entry->url = url ? url : "";
    json_object_foreach(entry->json, name, value)
    {
        const struct field *field = find_field(name);
        const char *wanted = field && !json_is_null(value) ? take(entry, field, value) : NULL;
        if (!field)
            entry->wrong = must_print("\"%s\" is no name of a request", name);
        else if (wanted)
            entry->wrong = must_print("\"%s\" must be %s", name, wanted);
        if (entry->wrong)
            return;
    }
    if (!*entry->url)
        entry->wrong = must_copy("the request has no \"url\"");
    if (entry->asked.body && !json_object_get(entry->json, "method") &&
        strcmp(entry->asked.method, "GET") == 0)
        entry->asked.method = "POST";
}

static void digest(struct entry *entry)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    SHA2_CTX context;
    SHA256Init(&context);
    SHA256Update(&context, (const uint8_t *)entry->line, strlen(entry->line));
    SHA256Final(hash, &context);
    for (size_t i = 0; i < 8; i++)
        snprintf(entry->digest + 2 * i, 3, "%02x", hash[i]);
}

static void read_json(struct entry *entry)
{
    json_error_t error;
    entry->json = json_loads(entry->line, JSON_REJECT_DUPLICATES, &error);
    if (entry->json)
        take_object(entry);
    else
        entry->wrong = must_print("not a JSON object: %s", error.text);
    if (entry->id)
        entry->key = must_print("id %s", entry->id);
    else
        digest(entry);
}

static bool is_utf8(const char *line)
{
    json_t *string = json_string(line);
    json_decref(string);
    return string != NULL;
}

void entry_init(struct entry *entry, const char *line, uint64_t number,
                const struct fetchd_options *defaults)
{
    entry->asked = *defaults;
    entry->number = number;
    entry->line = must_copy(line);
    entry->url = "";
    if (line[0] == '{')
        read_json(entry);
    else
        entry->asked.url = entry->url = entry->line;
    if (!entry->json && !is_utf8(line))
        digest(entry);   /* its answer could not say it */
    if (!entry->key)
        entry->key = entry->digest[0] ? must_print("request %s", entry->digest)
                                      : must_print("url %s", entry->url);
}

void entry_finish(struct entry *entry)
{
    free(entry->key);
    free(entry->id);
    free(entry->wrong);
    free(entry->line);
    free(entry->headers);
    free(entry->query);
    for (size_t i = 0; i < entry->list_count; i++)
        free(entry->lists[i]);
    text_finish(&entry->body);
    json_decref(entry->json);
}

char *entry_key(const json_t *answered)
{
    const json_t *id = json_object_get(answered, "id");
    const char *request = json_string_value(json_object_get(answered, "request"));
    const char *url = json_string_value(json_object_get(answered, "url"));
    if (id) {
        char *text = json_dumps(id, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
        char *key = must_print("id %s", text ? text : "");
        free(text);
        return key;
    }
    if (request)
        return must_print("request %s", request);
    return url ? must_print("url %s", url) : NULL;
}

bool entry_is_idempotent(const struct entry *entry)
{
    static const char *const methods[] = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE" };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(entry->asked.method, methods[i]) == 0)
            return true;
    return false;
}
