/* Windows has a store, and a worker reads it (worker/systemroots.h). */
#include "authorities.h"

const char *authorities_of_system(void)
{
    return NULL;
}
