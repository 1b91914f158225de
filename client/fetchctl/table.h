/* A table for people: columns as wide as their widest cell, numbers to the right. Cells are foreign
 * text, made harmless for a terminal. */
#ifndef FETCHCTL_TABLE_H
#define FETCHCTL_TABLE_H

#include "client/text.h"
#include "strings.h"

#include <stdint.h>

struct table {
    size_t columns;
    unsigned left;             /* a set of 1 << column: those that begin at the left */
    struct strings cells;
};

void table_init(struct table *table, size_t columns, unsigned left);
void table_finish(struct table *table);

/* The next cell, row by row. */
void table_add(struct table *table, const char *text);
void table_add_number(struct table *table, uint64_t number);
void __attribute__((format(gnu_printf, 2, 3))) table_addf(struct table *table, const char *format, ...);

/* A line a row. */
void table_print(const struct table *table, struct text *out);

/* "12.3 MiB" and "2.5 h", for cells and lines. */
#define TABLE_VALUE_BYTES 32
const char *table_bytes(char value[TABLE_VALUE_BYTES], uint64_t bytes);
const char *table_ms(char value[TABLE_VALUE_BYTES], uint64_t ms);

#endif
