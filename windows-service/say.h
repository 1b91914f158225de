/* What `fetchd service ...` tells a person, in UTF-8: results to stdout, failures with their cure to stderr.
 */
#ifndef WINDOWS_SERVICE_SAY_H
#define WINDOWS_SERVICE_SAY_H

#include <windows.h>

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "fetchd: WHAT: Windows' words (number)", and what to do, where the number tells. Returns EXIT_FAILURE. */
int say_failure(DWORD error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Windows' words for an error, without the line's end. */
void say_error_text(DWORD error, char *ret_text, size_t size);

#endif
