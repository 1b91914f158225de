/* 10.0.0.0/8, 127.0.0.1:8443, [fd00::/8], [::1]:8443, intranet.example:443, .example.com, loopback. */
#include "rule.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULE_BYTES 300

static bool is_number(const char *text, unsigned long most)
{
    size_t length = strspn(text, "0123456789");
    return length > 0 && length <= 5 && text[length] == '\0' && strtoul(text, NULL, 10) <= most;
}

static bool is_network(char *text, int family)
{
    unsigned char address[16];
    char *slash = strchr(text, '/');
    if (slash) {
        *slash = '\0';
        if (!is_number(slash + 1, family == AF_INET ? 32 : 128))
            return false;
    }
    return inet_pton(family, text, address) == 1;
}

static bool is_name(const char *text)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("-._", text[i]))
            return false;
    return length > 0 && length <= 254;
}

/* Digits and dots alone are meant to be an address, and so is whatever has a prefix length. */
static bool is_host(char *text)
{
    bool numeric = text[strspn(text, "0123456789.")] == '\0';
    return numeric || strchr(text, '/') ? is_network(text, AF_INET) : is_name(text);
}

const char *conf_rule_check(const char *rule, size_t length)
{
    static const char wrong[] = "is no rule: neither a network, a name nor a group";
    char text[RULE_BYTES];
    if (length >= sizeof text)
        return wrong;
    memcpy(text, rule, length);
    text[length] = '\0';
    char *colon = strrchr(text, ':');
    bool many_colons = colon && strchr(text, ':') != colon;
    if (text[0] == '[') {
        char *close = strchr(text, ']');
        if (!close || (close[1] != '\0' && (close[1] != ':' || !is_number(close + 2, 65535))))
            return wrong;
        *close = '\0';
        return is_network(text + 1, AF_INET6) ? NULL : wrong;
    }
    if (many_colons)
        return is_network(text, AF_INET6) ? NULL : wrong;
    if (colon && !is_number(colon + 1, 65535))
        return "has a port that is no number up to 65535";
    if (colon)
        *colon = '\0';
    return is_host(text) ? NULL : wrong;
}
