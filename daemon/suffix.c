/* The public suffix list. */
#include "suffix.h"

#include <libpsl.h>

/* libpsl's own struct under our name, which keeps its header in this file. */
struct suffixes *suffixes_open(void)
{
    return (struct suffixes *)psl_latest(NULL);
}

void suffixes_close(struct suffixes *suffixes)
{
    psl_free((psl_ctx_t *)suffixes);
}

bool suffixes_has(const struct suffixes *suffixes, const char *domain)
{
    return psl_is_public_suffix2((const psl_ctx_t *)suffixes, domain, PSL_TYPE_ANY);
}
