#include <time.h>

time_t timegm(struct tm *broken)
{
    return _mkgmtime(broken);
}
