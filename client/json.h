/* Writes JSON (RFC 8259) into a text (Jansson reads it, and none of these names is one of its): commas and
 * escapes are taken care of, nesting is the caller's. What is not valid UTF-8 becomes U+FFFD, so the output always is. */
#ifndef CLIENT_JSON_H
#define CLIENT_JSON_H

#include "text.h"

#include <stdint.h>

void json_begin_object(struct text *out);
void json_end_object(struct text *out);
void json_begin_array(struct text *out);
void json_end_array(struct text *out);

/* The name of the next value, inside an object. */
void json_name(struct text *out, const char *name);

void json_text(struct text *out, const char *string);
void json_text_bytes(struct text *out, const void *bytes, size_t length);
void json_uint(struct text *out, uint64_t value);
void json_bool(struct text *out, bool value);
void json_nothing(struct text *out);

/* A value that is JSON already. */
void json_raw(struct text *out, const char *json);

/* True when json_text_bytes() would write all of it as it is. */
bool json_is_utf8(const void *bytes, size_t length);

/* With `digits` behind the point; what is not finite becomes 0. */
void json_number(struct text *out, double value, int digits);

#endif
