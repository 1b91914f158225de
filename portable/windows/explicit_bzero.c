#include <string.h>
#include <windows.h>

void explicit_bzero(void *place, size_t bytes)
{
    SecureZeroMemory(place, bytes);
}
