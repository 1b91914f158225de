/* The public suffix list (publicsuffix.org): "co.uk" and "github.io" are nobody's own domain, so that
 * no cookie may be for all below them. By libpsl: the newer of the list on disk and the one built in. */
#ifndef DAEMON_SUFFIX_H
#define DAEMON_SUFFIX_H

#include <stdbool.h>

struct suffixes;

/* NULL when there is no list at all. */
struct suffixes *suffixes_open(void);
void suffixes_close(struct suffixes *suffixes);

/* `domain` in lower case. A name that the list does not know is one when it has a single label. */
bool suffixes_has(const struct suffixes *suffixes, const char *domain);

#endif
