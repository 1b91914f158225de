/* JSON (RFC 8259) read into a tree, for what the library gives as JSON. Pure. */
#ifndef FETCHCTL_VALUE_H
#define FETCHCTL_VALUE_H

#include <stddef.h>
#include <stdint.h>

enum value_kind { VALUE_NULL, VALUE_BOOL, VALUE_NUMBER, VALUE_STRING, VALUE_ARRAY, VALUE_OBJECT };

struct value {
    enum value_kind kind;
    char *name;                /* of an object's member */
    char *text;                /* of a string; NULs inside end it */
    uint64_t number;           /* of a number its whole part, 0 when negative; of true 1 */
    struct value *first, *next;   /* members or items; the one after this */
    const char *source;        /* where it stands in the JSON it was read from */
    size_t source_length;
};

/* The whole text as one value, borrowing only its `source`; NULL when it is none, or nested too deeply. */
struct value *value_read(const char *json);
void value_free(struct value *value);

/* The member of that name; NULL when there is none, or `object` is NULL or no object. */
const struct value *value_get(const struct value *object, const char *name);

/* The same as a number, 0 when it is none, and as a text, "" when it is none. */
uint64_t value_number(const struct value *object, const char *name);
const char *value_text(const struct value *object, const char *name);

#endif
