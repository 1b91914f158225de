/* A growing string. After a failed allocation it takes nothing more and says so at the end. */
#ifndef CLIENT_TEXT_H
#define CLIENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *data;       /* NUL-terminated once something was added */
    size_t length;
    size_t capacity;
    bool failed;
};

void text_finish(struct text *text);

/* Empties it and keeps the memory. */
void text_reset(struct text *text);

void text_add(struct text *text, const void *data, size_t length);
void text_add_string(struct text *text, const char *string);
void text_add_char(struct text *text, char c);
void __attribute__((format(gnu_printf, 2, 3))) text_addf(struct text *text, const char *format, ...);

/* The string, now the caller's to free(); NULL when memory was short. The text is empty then. */
char *text_take(struct text *text);

#endif
