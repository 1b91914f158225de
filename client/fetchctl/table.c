/* Rows and columns. */
#include "table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_BYTES 320

void table_init(struct table *table, size_t columns, unsigned left)
{
    *table = (struct table){ .columns = columns, .left = left };
}

void table_finish(struct table *table)
{
    strings_finish(&table->cells);
}

/* Columns that a terminal needs for UTF-8, near enough: one a character. */
static size_t width(const char *text)
{
    size_t columns = 0;
    for (; *text; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}

void table_add(struct table *table, const char *text)
{
    char cell[CELL_BYTES];
    snprintf(cell, sizeof cell, "%s", text);
    for (char *c = cell; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f || (unsigned char)*c == 0xc2)
            *c = '?';   /* 0xc2 begins the C1 controls, and little else */
    strings_add(&table->cells, cell);
}

void table_addf(struct table *table, const char *format, ...)
{
    char cell[CELL_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(cell, sizeof cell, format, arguments);
    va_end(arguments);
    table_add(table, cell);
}

void table_add_number(struct table *table, uint64_t number)
{
    table_addf(table, "%" PRIu64, number);
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t widest = 0;
    for (size_t i = column; i < table->cells.count; i += table->columns) {
        size_t cell = width(table->cells.items[i]);
        widest = cell > widest ? cell : widest;
    }
    return widest;
}

static void pad(struct text *out, size_t count)
{
    while (count-- > 0)
        text_add_char(out, ' ');
}

static void print_cell(const struct table *table, struct text *out, size_t index, size_t wide)
{
    const char *cell = table->cells.items[index];
    size_t column = index % table->columns;
    bool begins = table->left & 1u << column, ends_line = column == table->columns - 1;
    if (column > 0)
        pad(out, 2);
    if (!begins)
        pad(out, wide - width(cell));
    text_add_string(out, cell);
    if (begins && !ends_line)
        pad(out, wide - width(cell));
    if (ends_line)
        text_add_char(out, '\n');
}

void table_print(const struct table *table, struct text *out)
{
    size_t *widths = calloc(table->columns, sizeof *widths);
    for (size_t column = 0; widths && column < table->columns; column++)
        widths[column] = column_width(table, column);
    for (size_t i = 0; widths && i < table->cells.count; i++)
        print_cell(table, out, i, widths[i % table->columns]);
    free(widths);
}

static const char *scale(char *value, uint64_t number, const double *steps, const char *const *units)
{
    int step = 3;
    while (step > 0 && (double)number < steps[step])
        step--;
    snprintf(value, TABLE_VALUE_BYTES, step > 0 ? "%.1f %s" : "%.0f %s", (double)number / steps[step],
             units[step]);
    return value;
}

const char *table_bytes(char value[TABLE_VALUE_BYTES], uint64_t bytes)
{
    static const double steps[] = { 1, 1024, 1048576, 1073741824 };
    static const char *const units[] = { "B", "KiB", "MiB", "GiB" };
    return scale(value, bytes, steps, units);
}

const char *table_ms(char value[TABLE_VALUE_BYTES], uint64_t ms)
{
    static const double steps[] = { 1, 1000, 60000, 3600000 };
    static const char *const units[] = { "ms", "s", "min", "h" };
    return scale(value, ms, steps, units);
}
