/* SIDs of a machine that is nobody's. */
#include "members.h"

#include "conf/member.h"
#include "unit.h"

#include <ctype.h>
#include <stdio.h>

#define MACHINE "S-1-5-21-1-2-3-"

const char *members_written(const char *numbers)
{
    static char text[4096];
    size_t used = 0;
    bool within = false;
    for (; *numbers; numbers++) {
        bool digit = isdigit((unsigned char)*numbers);
        if (digit && !within)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s", MACHINE);
        within = digit;
        assert_in_range(used, 0, sizeof text - 100);
        text[used++] = *numbers;
    }
    text[used] = '\0';
    return text;
}

uint64_t members_id(uint64_t number)
{
    char text[64];
    uint64_t id = 0;
    snprintf(text, sizeof text, MACHINE "%llu", (unsigned long long)number);
    assert_null(conf_member_find(text, false, &id));
    return id;
}
