/* Wraps one function of the worker, in a program for tests only: a header "X-Poison" in an answer ends the
 * process, as a fault in a parser would; "X-Poison: forbidden" makes it do what its sandbox forbids. */
#include "worker/answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#ifdef __linux__
#include <sys/personality.h>
#endif

size_t __real_answer_on_curl_header(char *line, size_t size, size_t count, void *easy);
size_t __wrap_answer_on_curl_header(char *line, size_t size, size_t count, void *easy);

size_t __wrap_answer_on_curl_header(char *line, size_t size, size_t count, void *easy)
{
    static const char poison[] = "X-Poison:", forbidden[] = " forbidden";
    size_t length = size * count;
    if (length >= sizeof poison && strncasecmp(line, poison, sizeof poison - 1) == 0) {
        const char *value = line + sizeof poison - 1;
        if (length < sizeof poison + sizeof forbidden || memcmp(value, forbidden, sizeof forbidden - 1) != 0)
            abort();
#ifdef __linux__
        personality(ADDR_NO_RANDOMIZE);
#endif
    }
    return __real_answer_on_curl_header(line, size, count, easy);
}
