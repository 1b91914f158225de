/* Messages by their tables. */
#include "describe.h"

#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CELL_BYTES 96

/* What every LIST looks like, whatever its record. */
struct any_list { const void *items; size_t count; };

static const void *at(const struct ipc_field *field, const void *record)
{
    return (const char *)record + field->offset;
}

static const void *item(const struct ipc_field *field, const struct any_list *list, size_t index)
{
    return (const char *)list->items + index * field->record->size;
}

/* ---- JSON ---- */

static void json_list(struct text *out, const struct ipc_field *field, const struct any_list *list)
{
    json_begin_array(out);
    for (size_t i = 0; i < list->count; i++)
        describe_json(out, field->record, item(field, list, i));
    json_end_array(out);
}

static void json_pairs(struct text *out, const struct ipc_pairs *pairs)
{
    json_begin_array(out);
    for (size_t i = 0; i < pairs->count; i++) {
        json_begin_array(out);
        json_text_bytes(out, pairs->items[i].name.data, pairs->items[i].name.length);
        if (pairs->items[i].value.data)
            json_text_bytes(out, pairs->items[i].value.data, pairs->items[i].value.length);
        else
            json_nothing(out);
        json_end_array(out);
    }
    json_end_array(out);
}

static void json_texts(struct text *out, const struct ipc_texts *texts)
{
    json_begin_array(out);
    for (size_t i = 0; i < texts->count; i++)
        json_text_bytes(out, texts->items[i].data, texts->items[i].length);
    json_end_array(out);
}

static void json_value(struct text *out, const struct ipc_field *field, const void *place)
{
    const struct ipc_text *text = place;
    switch (field->type) {
    case IPC_TYPE_UINT: json_uint(out, *(const uint64_t *)place); break;
    case IPC_TYPE_BOOL: json_bool(out, *(const bool *)place); break;
    case IPC_TYPE_TEXT:
    case IPC_TYPE_BYTES: json_text_bytes(out, text->data, text->length); break;
    case IPC_TYPE_PAIRS: json_pairs(out, place); break;
    case IPC_TYPE_TEXTS: json_texts(out, place); break;
    case IPC_TYPE_ONE: describe_json(out, field->record, *(const void *const *)place); break;
    case IPC_TYPE_LIST: json_list(out, field, place); break;
    }
}

void describe_json(struct text *out, const struct ipc_table *table, const void *record)
{
    json_begin_object(out);
    for (size_t i = 0; record && i < table->field_count; i++) {
        json_name(out, table->fields[i].name);
        json_value(out, &table->fields[i], at(&table->fields[i], record));
    }
    json_end_object(out);
}

/* ---- lines ---- */

/* The field's name without its unit, and the unit: rss_bytes is "rss" in bytes. */
static const struct { const char *suffix; double steps[4]; const char *units[4]; } units[] = {
    { "_bytes", { 1, 1024, 1048576, 1073741824 }, { "B", "KiB", "MiB", "GiB" } },
    { "_ms", { 1, 1000, 60000, 3600000 }, { "ms", "s", "min", "h" } },
};

static int unit_of(const struct ipc_field *field)
{
    for (int i = 0; i < (int)(sizeof units / sizeof units[0]); i++) {
        size_t length = strlen(units[i].suffix);
        if (field->name_length > length
            && strcmp(field->name + field->name_length - length, units[i].suffix) == 0)
            return i;
    }
    return -1;
}

static void write_name(char *cell, const struct ipc_field *field)
{
    int unit = unit_of(field);
    size_t length = field->name_length - (unit >= 0 ? strlen(units[unit].suffix) : 0);
    snprintf(cell, CELL_BYTES, "%.*s", (int)length, field->name);
    for (char *c = cell; *c; c++)
        if (*c == '_')
            *c = ' ';
}

static void write_uint(char *cell, const struct ipc_field *field, uint64_t value)
{
    int unit = unit_of(field), step = 3;
    if (unit < 0 || value < 1000) {
        snprintf(cell, CELL_BYTES, "%" PRIu64 "%s%s", value, unit < 0 ? "" : " ",
                 unit < 0 ? "" : units[unit].units[0]);
        return;
    }
    while (step > 0 && (double)value < units[unit].steps[step])
        step--;
    snprintf(cell, CELL_BYTES, "%.1f %s", (double)value / units[unit].steps[step], units[unit].units[step]);
}

/* Foreign text stays on its line and does nothing to a terminal: C0, DEL and C1 become '?'. */
static void write_text(char *cell, const struct ipc_text *text)
{
    size_t used = 0;
    for (size_t i = 0; i < text->length && used < CELL_BYTES - 1; i++) {
        unsigned char c = (unsigned char)text->data[i];
        unsigned char next = i + 1 < text->length ? (unsigned char)text->data[i + 1] : 0;
        bool is_c1 = c == 0xc2 && next >= 0x80 && next <= 0x9f;
        cell[used++] = is_c1 || c < 0x20 || c == 0x7f ? '?' : (char)c;
        i += is_c1;
    }
    cell[used] = '\0';
}

static bool write_cell(char *cell, const struct ipc_field *field, const void *place)
{
    cell[0] = '\0';
    if (field->type == IPC_TYPE_UINT)
        write_uint(cell, field, *(const uint64_t *)place);
    else if (field->type == IPC_TYPE_TEXT)
        write_text(cell, place);
    else if (field->type == IPC_TYPE_BOOL)
        snprintf(cell, CELL_BYTES, "%s", *(const bool *)place ? "yes" : "no");
    else
        return false;
    return true;
}

/* A list as a table, a column as wide as its widest cell. */
static void text_list(struct text *out, const struct ipc_field *field, const struct any_list *list)
{
    const struct ipc_table *table = field->record;
    int widths[32] = { 0 };
    char cell[CELL_BYTES];
    size_t columns = table->field_count < 32 ? table->field_count : 32;
    for (size_t column = 0; column < columns; column++) {
        write_name(cell, &table->fields[column]);
        widths[column] = (int)strlen(cell);
        for (size_t i = 0; i < list->count; i++) {
            write_cell(cell, &table->fields[column], at(&table->fields[column], item(field, list, i)));
            widths[column] = (int)strlen(cell) > widths[column] ? (int)strlen(cell) : widths[column];
        }
    }
    for (size_t row = 0; row <= list->count; row++) {
        for (size_t column = 0; column < columns; column++) {
            if (row == 0)
                write_name(cell, &table->fields[column]);
            else
                write_cell(cell, &table->fields[column],
                           at(&table->fields[column], item(field, list, row - 1)));
            text_addf(out, "%s%*s", column ? "  " : "", widths[column], cell);
        }
        text_add_char(out, '\n');
    }
}

void describe_text(struct text *out, const struct ipc_table *table, const void *record)
{
    char name[CELL_BYTES], cell[CELL_BYTES];
    for (size_t i = 0; i < table->field_count; i++) {
        const struct ipc_field *field = &table->fields[i];
        write_name(name, field);
        if (write_cell(cell, field, at(field, record)))
            text_addf(out, "%-12s %s\n", name, cell);
    }
    for (size_t i = 0; i < table->field_count; i++) {
        const struct ipc_field *field = &table->fields[i];
        const struct any_list *list = at(field, record);
        if (field->type != IPC_TYPE_LIST || list->count == 0)
            continue;
        text_add_char(out, '\n');
        text_list(out, field, list);
    }
}
