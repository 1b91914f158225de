#include <string.h>

char *stpcpy(char *place, const char *text)
{
    size_t length = strlen(text);
    memcpy(place, text, length + 1);
    return place + length;
}
