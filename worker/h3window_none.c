/* Built without HTTP/3: libcurl has no QUIC, or it is not used. */
#include "h3window.h"

void h3window_reset(struct h3window *window)
{
    (void)window;
}

bool h3window_has_heard(const struct h3window *window)
{
    (void)window;
    return true;
}

uint64_t h3window_patience_ms(const struct h3window *window)
{
    (void)window;
    return 0;
}
