/* An item and its line. */
#include "item.h"

#include "base64.h"
#include "client/json.h"
#include "memory.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct item *item_create(const char *line, uint64_t number, const struct fetchd_options *defaults)
{
    struct item *item = must_allocate(1, sizeof *item);
    entry_init(&item->entry, line, number, defaults);
    item->saved = SAVED_NONE;
    item->start_us = now_us();
    SHA256Init(&item->hash);
    return item;
}

void item_finish(struct item *item)
{
    entry_finish(&item->entry);
    text_finish(&item->headers);
    text_finish(&item->body);
    free(item->url_effective);
    free(item);
}

void item_start(struct item *item)
{
    item->start_us = now_us();
}

void item_take_headers(struct item *item, const struct fetchd_response *response)
{
    text_reset(&item->headers);
    json_begin_array(&item->headers);
    for (size_t i = 0; i < response->header_count; i++) {
        json_begin_array(&item->headers);
        json_text(&item->headers, response->headers[i].name);
        json_text(&item->headers, response->headers[i].value);
        json_end_array(&item->headers);
    }
    json_end_array(&item->headers);
}

static void put_hash(struct text *out, SHA2_CTX *hash)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    char text[2 * SHA256_DIGEST_LENGTH + 1];
    SHA256Final(digest, hash);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    json_name(out, "sha256");
    json_text(out, text);
}

static void put_name(struct text *out, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    json_name(out, name);
    json_text(out, value);
}

static void put_body(struct text *out, struct text *body)
{
    text_add(body, "", 0); /* so that an empty one is there as well */
    bool is_text = json_is_utf8(body->data, body->length);
    json_name(out, is_text ? "body" : "body_base64");
    if (is_text) {
        json_text_bytes(out, body->data, body->length);
        return;
    }
    json_raw(out, "\"");
    base64_encode(out, body->data, body->length);
    text_add_char(out, '"');
}

static void put_error(struct text *out, const struct fetchd_error *error, bool retryable)
{
    json_name(out, "error");
    json_begin_object(out);
    json_name(out, "name");
    json_text(out, error->name);
    json_name(out, "message");
    json_text(out, error->message);
    json_name(out, "phase");
    json_text(out, error->phase);
    json_name(out, "retryable");
    json_bool(out, retryable);
    json_end_object(out);
}

static void put_identity(struct text *out, const struct entry *entry)
{
    json_name(out, "url");
    json_text(out, entry->url);
    if (entry->id) {
        json_name(out, "id");
        json_raw(out, entry->id);
    }
    put_name(out, "request", entry->digest);
}

/* Whether a later run may ask again: what a daemon that was lost had can be asked twice only if
 * that does no harm. */
static bool may_ask_again(const struct item *item, const struct fetchd_error *error)
{
    return error->retryable ||
           (strcmp(error->name, "daemon.lost") == 0 && entry_is_idempotent(&item->entry));
}

void item_put_line(struct text *out, struct item *item, const struct options *options,
                   const struct fetchd_done *done, const struct fetchd_error *error)
{
    json_begin_object(out);
    put_identity(out, &item->entry);
    json_name(out, "status");
    json_uint(out, item->status);
    json_name(out, "bytes");
    json_uint(out, item->bytes);
    if (options->hash)
        put_hash(out, &item->hash);
    json_name(out, "http_version");
    json_text(out, item->http_version);
    json_name(out, "worker");
    json_uint(out, done ? done->worker : 0);
    json_name(out, "attempts");
    json_uint(out, done ? done->attempts : 0);
    json_name(out, "time_ms");
    json_number(out, (double)(now_us() - item->start_us) / 1000, 3);
    put_name(out, "url_effective", item->url_effective);
    if (item->headers.length > 0) {
        json_name(out, "headers");
        json_raw(out, item->headers.data);
    }
    put_name(out, "file", error ? NULL : item->saved.name);
    if (options->with_body && !error)
        put_body(out, &item->body);
    if (error)
        put_error(out, error, may_ask_again(item, error));
    json_end_object(out);
    text_add_char(out, '\n');
}
