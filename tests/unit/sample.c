/* Messages made, compared and shown by walking the tables. */
#include "sample.h"

#include "unit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void sample_finish(struct sample *sample)
{
    for (size_t i = 0; i < sample->count; i++)
        free(sample->blocks[i]);
    sample->count = 0;
}

void *sample_allocate(struct sample *sample, size_t length)
{
    void *block = calloc(1, length ? length : 1);
    assert_non_null(block);
    assert_true(sample->count < sizeof sample->blocks / sizeof sample->blocks[0]);
    sample->blocks[sample->count++] = block;
    return block;
}

/* ---- making ---- */

static struct ipc_text make_text(struct sample *sample, const char *name, size_t length)
{
    char *data = sample_allocate(sample, length);
    for (size_t i = 0; i < length; i++)
        data[i] = name[i % strlen(name)];
    if (length >= 2)
        memcpy(data + length - 2, "\xc3\xa4", 2);
    return (struct ipc_text){ data, length };
}

static struct ipc_bytes make_bytes(struct sample *sample, size_t length)
{
    uint8_t *data = sample_allocate(sample, length);
    for (size_t i = 0; i < length; i++)
        data[i] = (uint8_t)(i * 37 + length);
    return (struct ipc_bytes){ data, length };
}

static struct ipc_pairs make_pairs(struct sample *sample, size_t count)
{
    struct ipc_pair *items = sample_allocate(sample, count * sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = (struct ipc_pair){ make_bytes(sample, i % 3 + 1),
                                      i % 3 == 2 ? (struct ipc_bytes){ NULL, 0 } : make_bytes(sample, i % 2) };
    return (struct ipc_pairs){ items, count };
}

static struct ipc_texts make_texts(struct sample *sample, const char *name, size_t count)
{
    struct ipc_text *items = sample_allocate(sample, count * sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = make_text(sample, name, i % 4);
    return (struct ipc_texts){ items, count };
}

static void *make_records(struct sample *sample, const struct ipc_table *table, size_t count)
{
    char *items = sample_allocate(sample, count * table->size);
    for (size_t i = 0; i < count; i++) {
        ipc_table_init(table, items + i * table->size);
        if (i < 3)
            sample_fill(sample, table, items + i * table->size);
    }
    return items;
}

static void put(struct sample *sample, const struct ipc_field *field, void *record, uint64_t size)
{
    void *place = (char *)record + field->offset;
    struct sample_list list;
    switch (field->type) {
    case IPC_TYPE_UINT: *(uint64_t *)place = size; break;
    case IPC_TYPE_BOOL: *(bool *)place = size != 0; break;
    case IPC_TYPE_TEXT: *(struct ipc_text *)place = make_text(sample, field->name, (size_t)size); break;
    case IPC_TYPE_BYTES: *(struct ipc_bytes *)place = make_bytes(sample, (size_t)size); break;
    case IPC_TYPE_PAIRS: *(struct ipc_pairs *)place = make_pairs(sample, (size_t)size); break;
    case IPC_TYPE_TEXTS: *(struct ipc_texts *)place = make_texts(sample, field->name, (size_t)size); break;
    case IPC_TYPE_ONE: *(const void **)place = make_records(sample, field->record, 1); break;
    case IPC_TYPE_LIST:
        list = (struct sample_list){ make_records(sample, field->record, (size_t)size), (size_t)size };
        *(struct sample_list *)place = list;
        break;
    }
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

void sample_fill_field(struct sample *sample, const struct ipc_field *field, void *record)
{
    switch (field->type) {
    case IPC_TYPE_UINT: put(sample, field, record, field->initial == 3 ? 4 : at_most(3, field->limit)); break;
    case IPC_TYPE_BOOL: put(sample, field, record, !field->initial); break;
    case IPC_TYPE_TEXT: case IPC_TYPE_BYTES: put(sample, field, record, at_most(7, field->limit)); break;
    default: put(sample, field, record, at_most(3, field->limit)); break;
    }
}

void sample_fill_limit(struct sample *sample, const struct ipc_field *field, void *record, uint64_t excess)
{
    put(sample, field, record, field->limit + excess);
}

bool sample_has_limit(const struct ipc_field *field)
{
    return field->type != IPC_TYPE_BOOL && field->type != IPC_TYPE_ONE && field->limit != UINT64_MAX;
}

void sample_fill(struct sample *sample, const struct ipc_table *table, void *record)
{
    ipc_table_init(table, record);
    for (size_t i = 0; i < table->field_count; i++)
        sample_fill_field(sample, &table->fields[i], record);
}

/* ---- comparing ---- */

static bool same_bytes(const void *left, size_t left_length, const void *right, size_t right_length)
{
    return left_length == right_length && (left_length == 0 || memcmp(left, right, left_length) == 0);
}

static bool same_pairs(const struct ipc_pairs *left, const struct ipc_pairs *right)
{
    bool same = left->count == right->count;
    for (size_t i = 0; same && i < left->count; i++) {
        const struct ipc_pair *a = &left->items[i], *b = &right->items[i];
        same = same_bytes(a->name.data, a->name.length, b->name.data, b->name.length)
            && same_bytes(a->value.data, a->value.length, b->value.data, b->value.length)
            && !a->value.data == !b->value.data;
    }
    return same;
}

static bool same_texts(const struct ipc_texts *left, const struct ipc_texts *right)
{
    bool same = left->count == right->count;
    for (size_t i = 0; same && i < left->count; i++)
        same = same_bytes(left->items[i].data, left->items[i].length, right->items[i].data,
                          right->items[i].length);
    return same;
}

static bool same_records(const struct ipc_table *table, const struct sample_list *left,
                         const struct sample_list *right)
{
    bool same = left->count == right->count;
    for (size_t i = 0; same && i < left->count; i++)
        same = !sample_difference(table, (const char *)left->items + i * table->size,
                                  (const char *)right->items + i * table->size);
    return same;
}

static bool same_one(const struct ipc_table *table, const void *left, const void *right)
{
    if (!left || !right)
        return left == right;
    return !sample_difference(table, left, right);
}

static bool same_field(const struct ipc_field *field, const void *left, const void *right)
{
    const struct ipc_bytes *a = left, *b = right;   /* TEXT is laid out alike */
    switch (field->type) {
    case IPC_TYPE_UINT: return *(const uint64_t *)left == *(const uint64_t *)right;
    case IPC_TYPE_BOOL: return *(const bool *)left == *(const bool *)right;
    case IPC_TYPE_TEXT: case IPC_TYPE_BYTES: return same_bytes(a->data, a->length, b->data, b->length);
    case IPC_TYPE_PAIRS: return same_pairs(left, right);
    case IPC_TYPE_TEXTS: return same_texts(left, right);
    case IPC_TYPE_ONE: return same_one(field->record, *(const void *const *)left,
                                       *(const void *const *)right);
    case IPC_TYPE_LIST: return same_records(field->record, left, right);
    }
    return false;
}

const char *sample_difference(const struct ipc_table *table, const void *left, const void *right)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct ipc_field *field = &table->fields[i];
        if (!same_field(field, (const char *)left + field->offset, (const char *)right + field->offset))
            return field->name;
    }
    return NULL;
}

/* ---- showing ---- */

static void print_bytes(const void *data, size_t length, FILE *out)
{
    const unsigned char *at = data;
    fputc('"', out);
    for (size_t i = 0; i < length; i++) {
        if (at[i] >= 0x20 && at[i] != 0x7f && at[i] != '"' && at[i] != '\\')
            fputc(at[i], out);
        else
            fprintf(out, at[i] == '\n' ? "\\n" : "\\x%02x", at[i]);
    }
    fputc('"', out);
}

static void print_pairs(const struct ipc_pairs *pairs, FILE *out)
{
    fputc('[', out);
    for (size_t i = 0; i < pairs->count; i++) {
        fputs(i ? ", [" : "[", out);
        print_bytes(pairs->items[i].name.data, pairs->items[i].name.length, out);
        fputs(", ", out);
        if (pairs->items[i].value.data)
            print_bytes(pairs->items[i].value.data, pairs->items[i].value.length, out);
        else
            fputs("nil", out);
        fputc(']', out);
    }
    fputc(']', out);
}

static void print_texts(const struct ipc_texts *texts, FILE *out)
{
    fputc('[', out);
    for (size_t i = 0; i < texts->count; i++) {
        fputs(i ? ", " : "", out);
        print_bytes(texts->items[i].data, texts->items[i].length, out);
    }
    fputc(']', out);
}

static void print_list(const struct ipc_table *table, const struct sample_list *list, FILE *out)
{
    fputc('[', out);
    for (size_t i = 0; i < list->count; i++) {
        fputs(i ? ", " : "", out);
        sample_print(table, (const char *)list->items + i * table->size, out);
    }
    fputc(']', out);
}

static void print_value(const struct ipc_field *field, const void *place, FILE *out)
{
    const struct ipc_bytes *bytes = place;
    switch (field->type) {
    case IPC_TYPE_UINT: fprintf(out, "%" PRIu64, *(const uint64_t *)place); break;
    case IPC_TYPE_BOOL: fputs(*(const bool *)place ? "true" : "false", out); break;
    case IPC_TYPE_TEXT: case IPC_TYPE_BYTES: print_bytes(bytes->data, bytes->length, out); break;
    case IPC_TYPE_PAIRS: print_pairs(place, out); break;
    case IPC_TYPE_TEXTS: print_texts(place, out); break;
    case IPC_TYPE_ONE: sample_print(field->record, *(const void *const *)place, out); break;
    case IPC_TYPE_LIST: print_list(field->record, place, out); break;
    }
}

void sample_print(const struct ipc_table *table, const void *record, FILE *out)
{
    const char *between = "";
    char *blank = calloc(1, table->size);
    assert_non_null(blank);
    ipc_table_init(table, blank);
    fputc('{', out);
    for (size_t i = 0; i < table->field_count; i++) {
        const struct ipc_field *field = &table->fields[i];
        const void *place = (const char *)record + field->offset;
        if (field->rule != IPC_REQUIRED && same_field(field, place, blank + field->offset))
            continue;
        fprintf(out, "%s%s: ", between, field->name);
        print_value(field, place, out);
        between = ", ";
    }
    fputc('}', out);
    free(blank);
}
