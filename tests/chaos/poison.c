/* Wraps one function of the worker, in a program for tests only: a header "X-Poison" in an answer ends the
 * process, as a fault in a parser would. */
#include "worker/answer.h"

#include <stdlib.h>
#include <strings.h>

size_t __real_answer_on_curl_header(char *line, size_t size, size_t count, void *easy);
size_t __wrap_answer_on_curl_header(char *line, size_t size, size_t count, void *easy);

size_t __wrap_answer_on_curl_header(char *line, size_t size, size_t count, void *easy)
{
    static const char poison[] = "X-Poison:";
    if (size * count >= sizeof poison && strncasecmp(line, poison, sizeof poison - 1) == 0)
        abort();
    return __real_answer_on_curl_header(line, size, count, easy);
}
