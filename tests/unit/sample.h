/* Messages made, compared and shown by walking the tables of messages.def, so that a new field is
 * tested the day it is added. */
#ifndef UNIT_SAMPLE_H
#define UNIT_SAMPLE_H

#include "ipc/message.h"

#include <stdio.h>

/* Memory of one sample; freed as a whole. Too large for a stack. */
struct sample { void *blocks[40000]; size_t count; };

void sample_finish(struct sample *sample);

/* `length` zeroed bytes that live as long as the sample. */
void *sample_allocate(struct sample *sample, size_t length);

/* Every field set to a value that is not its initial one; nested records too. */
void sample_fill(struct sample *sample, const struct ipc_table *table, void *record);

/* One field set so, or to the largest value, length or count that its limit allows plus `excess`. */
void sample_fill_field(struct sample *sample, const struct ipc_field *field, void *record);
void sample_fill_limit(struct sample *sample, const struct ipc_field *field, void *record, uint64_t excess);

/* True when the limit is one that a value can pass: not that of a BOOL, or of a UINT of 64 bits. */
bool sample_has_limit(const struct ipc_field *field);

/* The name of the first field that differs, NULL when the records are equal. */
const char *sample_difference(const struct ipc_table *table, const void *left, const void *right);

/* "{version_min: 1, client: "x"}": every field that is not at its initial value. */
void sample_print(const struct ipc_table *table, const void *record, FILE *out);

/* What every LIST looks like, whatever its record. */
struct sample_list { const void *items; size_t count; };

#endif
