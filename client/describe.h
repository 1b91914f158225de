/* Any decoded message as JSON or as lines for people, by walking its table: a field that is added to
 * messages.def shows up by itself. */
#ifndef CLIENT_DESCRIBE_H
#define CLIENT_DESCRIBE_H

#include "ipc/message.h"
#include "text.h"

void describe_json(struct text *out, const struct ipc_table *table, const void *record);
void describe_text(struct text *out, const struct ipc_table *table, const void *record);

#endif
