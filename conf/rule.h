/* The form of an egress rule: NETWORK[:PORT], NAME[:PORT] or a group. What a rule means is the worker's
 * matter; here a wrong one is told with its file and line. Pure. */
#ifndef CONF_RULE_H
#define CONF_RULE_H

#include <stddef.h>

/* NULL, or what is wrong with it, to be read after the rule itself. */
const char *conf_rule_check(const char *rule, size_t length);

#endif
