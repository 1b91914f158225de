/* The egress decision: what an address is, and what the operator's rules say of it. */
#include "destination.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct address { unsigned bits; uint8_t bytes[16]; };   /* 32 or 128 */

/* ---- what an address is ---- */

struct known_network { struct address address; unsigned prefix; enum destination_kind kind; };

#define V4(a, b, c, d) { 32, { a, b, c, d } }
#define V6(...) { 128, { __VA_ARGS__ } }

/* RFC 6890 and its registries; the first that matches tells. */
static const struct known_network known_networks[] = {
    { V4(0, 0, 0, 0), 8, DESTINATION_UNSPECIFIED },
    { V4(10, 0, 0, 0), 8, DESTINATION_PRIVATE },
    { V4(100, 64, 0, 0), 10, DESTINATION_PRIVATE },      /* RFC 6598, carriers' NAT */
    { V4(127, 0, 0, 0), 8, DESTINATION_LOOPBACK },
    { V4(169, 254, 0, 0), 16, DESTINATION_LINK_LOCAL },  /* cloud metadata lives here */
    { V4(172, 16, 0, 0), 12, DESTINATION_PRIVATE },
    { V4(192, 0, 0, 0), 24, DESTINATION_RESERVED },
    { V4(192, 0, 2, 0), 24, DESTINATION_RESERVED },
    { V4(192, 88, 99, 0), 24, DESTINATION_RESERVED },
    { V4(192, 168, 0, 0), 16, DESTINATION_PRIVATE },
    { V4(198, 18, 0, 0), 15, DESTINATION_RESERVED },
    { V4(198, 51, 100, 0), 24, DESTINATION_RESERVED },
    { V4(203, 0, 113, 0), 24, DESTINATION_RESERVED },
    { V4(224, 0, 0, 0), 4, DESTINATION_MULTICAST },
    { V4(240, 0, 0, 0), 4, DESTINATION_RESERVED },
    { V6(0), 128, DESTINATION_UNSPECIFIED },
    { V6(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), 128, DESTINATION_LOOPBACK },
    { V6(0, 0x64, 0xff, 0x9b, 0, 1), 48, DESTINATION_PRIVATE },   /* RFC 8215, NAT64 of one's own */
    { V6(0x01, 0), 64, DESTINATION_RESERVED },
    { V6(0x20, 0x01, 0x0d, 0xb8), 32, DESTINATION_RESERVED },
    { V6(0x20, 0x01, 0, 0), 32, DESTINATION_PUBLIC },             /* Teredo: see carried() */
    { V6(0x20, 0x01, 0, 0), 23, DESTINATION_RESERVED },
    { V6(0x3f, 0xff, 0), 20, DESTINATION_RESERVED },
    { V6(0xfc), 7, DESTINATION_PRIVATE },
    { V6(0xfe, 0x80), 10, DESTINATION_LINK_LOCAL },
    { V6(0xfe, 0xc0), 10, DESTINATION_PRIVATE },
    { V6(0xff), 8, DESTINATION_MULTICAST },
};

static bool within(const struct address *address, const struct address *network, unsigned prefix)
{
    if (address->bits != network->bits)
        return false;
    unsigned whole = prefix / 8, rest = prefix % 8;
    if (memcmp(address->bytes, network->bytes, whole) != 0)
        return false;
    uint8_t mask = (uint8_t)(0xff00u >> rest);
    return rest == 0 || ((address->bytes[whole] ^ network->bytes[whole]) & mask) == 0;
}

static enum destination_kind plain_kind(const struct address *address)
{
    for (size_t i = 0; i < sizeof known_networks / sizeof known_networks[0]; i++)
        if (within(address, &known_networks[i].address, known_networks[i].prefix))
            return known_networks[i].kind;
    return DESTINATION_PUBLIC;
}

static bool read_sockaddr(const struct sockaddr *from, struct address *ret_address, unsigned *ret_port)
{
    if (from->sa_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, from, sizeof four);
        ret_address->bits = 32;
        memcpy(ret_address->bytes, &four.sin_addr, 4);
        *ret_port = ntohs(four.sin_port);
        return true;
    }
    if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, from, sizeof six);
        ret_address->bits = 128;
        memcpy(ret_address->bytes, &six.sin6_addr, 16);
        *ret_port = ntohs(six.sin6_port);
        return true;
    }
    return false;
}

/* ---- what an address carries ---- */

/* IPv6 networks whose addresses hold an IPv4 address at a known place. */
static const struct { struct address network; unsigned prefix, at; uint8_t flip; } carriers[] = {
    { V6(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff), 96, 12, 0 },    /* mapped */
    { V6(0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0), 96, 12, 0 },    /* translated, RFC 2765 */
    { V6(0, 0x64, 0xff, 0x9b), 96, 12, 0 },                         /* NAT64 */
    { V6(0, 0x64, 0xff, 0x9b, 0, 1), 48, 12, 0 },
    { V6(0x20, 0x02), 16, 2, 0 },                                   /* 6to4 */
    { V6(0x20, 0x01, 0, 0), 32, 4, 0 },                             /* Teredo: its server */
    { V6(0x20, 0x01, 0, 0), 32, 12, 0xff },                         /* and its client, hidden by XOR */
    { V6(0), 96, 12, 0 },                                           /* compatible */
};

#define VIEWS_MAX 4

static void add_carried(const struct address *address, unsigned at, uint8_t flip, struct address *views,
                        size_t *count)
{
    struct address *view = &views[(*count)++];
    *view = (struct address){ .bits = 32 };
    for (unsigned i = 0; i < 4; i++)
        view->bytes[i] = (uint8_t)(address->bytes[at + i] ^ flip);
}

static bool is_isatap(const struct address *address)
{
    static const uint8_t mark[3] = { 0x00, 0x5e, 0xfe };
    return (address->bytes[8] & 0xfd) == 0 && memcmp(address->bytes + 9, mark, 3) == 0;
}

/* The IPv4 addresses inside, or the address itself when there are none. At most VIEWS_MAX. */
static size_t carried(const struct address *address, struct address *views)
{
    size_t count = 0;
    enum destination_kind kind = plain_kind(address);
    bool simple = kind == DESTINATION_LOOPBACK || kind == DESTINATION_UNSPECIFIED;
    if (address->bits == 128 && !simple) {
        for (size_t i = 0; i < sizeof carriers / sizeof carriers[0]; i++)
            if (within(address, &carriers[i].network, carriers[i].prefix))
                add_carried(address, carriers[i].at, carriers[i].flip, views, &count);
        if (is_isatap(address))
            add_carried(address, 12, 0, views, &count);
    }
    if (count == 0)
        views[count++] = *address;
    return count;
}

/* A carrier of public addresses can itself be of a worse kind: NAT64 of one's own, say. */
static enum destination_kind worst_kind(const struct address *address, const struct address *views,
                                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum destination_kind kind = plain_kind(&views[i]);
        if (kind != DESTINATION_PUBLIC)
            return kind;
    }
    return plain_kind(address);
}

enum destination_kind destination_kind(const struct sockaddr *from)
{
    struct address address = { .bits = 0 }, views[VIEWS_MAX];
    unsigned port;
    if (!read_sockaddr(from, &address, &port))
        return DESTINATION_RESERVED;
    return worst_kind(&address, views, carried(&address, views));
}

/* ---- rules ---- */

enum rule_type { RULE_ANY, RULE_KIND, RULE_NETWORK, RULE_NAME };

struct rule {
    enum rule_type type;
    enum destination_kind kind;
    struct address network;
    unsigned prefix, port;   /* port 0: every port */
    char text[264];          /* as written, without the port for a name */
};

struct rules { struct rule *items; size_t count; };
struct destination_policy {
    struct rules allow, deny;
    const struct destination_policy *otherwise;   /* what holds where these say nothing; NULL: nothing */
};

static const char *settings_of(const struct destination_policy *policy)
{
    return policy->otherwise ? "[class] egress_" : "[egress] ";
}

static const struct { const char *name; enum rule_type type; enum destination_kind kind; } groups[] = {
    { "any", RULE_ANY, DESTINATION_PUBLIC },
    { "loopback", RULE_KIND, DESTINATION_LOOPBACK },
    { "link-local", RULE_KIND, DESTINATION_LINK_LOCAL },
    { "unspecified", RULE_KIND, DESTINATION_UNSPECIFIED },
    { "multicast", RULE_KIND, DESTINATION_MULTICAST },
    { "private", RULE_KIND, DESTINATION_PRIVATE },
    { "reserved", RULE_KIND, DESTINATION_RESERVED },
};

static const char *kind_text(enum destination_kind kind)
{
    for (size_t i = 1; i < sizeof groups / sizeof groups[0]; i++)
        if (groups[i].kind == kind)
            return groups[i].name;
    return "public";
}

static bool read_number(const char *text, unsigned most, unsigned *ret_number)
{
    unsigned number = 0;
    if (*text == '\0')
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        number = number * 10 + (unsigned)(*text - '0');
        if (number > most)
            return false;
    }
    *ret_number = number;
    return true;
}

static bool read_port(const char *text, unsigned *ret_port)
{
    return read_number(text, 65535, ret_port) && *ret_port > 0;
}

static bool read_group(const char *text, struct rule *rule)
{
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (strcmp(text, groups[i].name) != 0)
            continue;
        rule->type = groups[i].type;
        rule->kind = groups[i].kind;
        return true;
    }
    return false;
}

/* ADDRESS[/PREFIX]; changes `text`. */
static bool read_network(char *text, struct rule *rule)
{
    char *slash = strchr(text, '/');
    if (slash)
        *slash++ = '\0';
    if (inet_pton(AF_INET, text, rule->network.bytes) == 1)
        rule->network.bits = 32;
    else if (inet_pton(AF_INET6, text, rule->network.bytes) == 1)
        rule->network.bits = 128;
    else
        return false;
    rule->type = RULE_NETWORK;
    rule->prefix = rule->network.bits;
    return !slash || read_number(slash, rule->network.bits, &rule->prefix);
}

static bool read_name(const char *text, struct rule *rule)
{
    bool letters = false;
    size_t length = strlen(text);
    if (length == 0 || (length == 1 && *text == '.'))
        return false;
    for (const char *at = text; *at; at++) {
        bool letter = (*at >= 'a' && *at <= 'z') || *at == '_';
        if (!letter && !(*at >= '0' && *at <= '9') && *at != '-' && *at != '.')
            return false;
        letters = letters || letter;
    }
    rule->type = RULE_NAME;
    return letters;   /* 10.0.0 is a broken network, not a name */
}

/* Cuts ":PORT" off `text` and reads it. An IPv6 network without brackets has no port. */
static bool split_port(char **text, unsigned *ret_port)
{
    if (**text == '[') {
        char *close = strchr(*text, ']');
        if (!close)
            return false;
        *text += 1;
        *close = '\0';
        return close[1] == '\0' || (close[1] == ':' && read_port(close + 2, ret_port));
    }
    char *colon = strchr(*text, ':');
    if (!colon || strchr(colon + 1, ':'))
        return true;
    *colon = '\0';
    return read_port(colon + 1, ret_port);
}

static bool read_rule(struct ipc_text from, struct rule *rule)
{
    *rule = (struct rule){ .port = 0 };
    if (from.length == 0 || from.length >= sizeof rule->text || memchr(from.data, '\0', from.length))
        return false;
    char buffer[sizeof rule->text];
    for (size_t i = 0; i < from.length; i++)
        buffer[i] = from.data[i] >= 'A' && from.data[i] <= 'Z' ? (char)(from.data[i] | 0x20) : from.data[i];
    buffer[from.length] = '\0';
    char *text = buffer;
    if (!split_port(&text, &rule->port))
        return false;
    memcpy(rule->text, text, strlen(text) + 1);
    return read_group(text, rule) || read_network(text, rule) || read_name(rule->text, rule);
}

static bool read_rules(struct ipc_texts texts, struct rules *ret_rules, char *ret_reason, size_t size)
{
    ret_rules->items = calloc(texts.count ? texts.count : 1, sizeof *ret_rules->items);
    if (!ret_rules->items) {
        snprintf(ret_reason, size, "no memory for the egress rules");
        return false;
    }
    for (size_t i = 0; i < texts.count; i++) {
        if (!read_rule(texts.items[i], &ret_rules->items[i])) {
            snprintf(ret_reason, size, "'%.*s' is not an egress rule: not a network, a name or a group",
                     (int)(texts.items[i].length < 100 ? texts.items[i].length : 100), texts.items[i].data);
            return false;
        }
        ret_rules->count++;
    }
    return true;
}

struct destination_policy *destination_policy_create(struct ipc_texts allow, struct ipc_texts deny,
                                                     char *ret_reason, size_t size)
{
    static const struct ipc_text denied_by_default[4] = {
        { "loopback", 8 }, { "link-local", 10 }, { "unspecified", 11 }, { "multicast", 9 },
    };
    if (deny.count == 0)
        deny = (struct ipc_texts){ denied_by_default, 4 };
    return destination_policy_create_before(NULL, allow, deny, ret_reason, size);
}

struct destination_policy *destination_policy_create_before(const struct destination_policy *otherwise,
                                                            struct ipc_texts allow, struct ipc_texts deny,
                                                            char *ret_reason, size_t size)
{
    struct destination_policy *policy = calloc(1, sizeof *policy);
    if (!policy) {
        snprintf(ret_reason, size, "no memory for the egress rules");
        return NULL;
    }
    policy->otherwise = otherwise;
    if (!read_rules(allow, &policy->allow, ret_reason, size)
        || !read_rules(deny, &policy->deny, ret_reason, size)) {
        destination_policy_destroy(policy);
        return NULL;
    }
    return policy;
}

void destination_policy_destroy(struct destination_policy *policy)
{
    if (!policy)
        return;
    free(policy->allow.items);
    free(policy->deny.items);
    free(policy);
}

/* ---- the decision ---- */

static bool same_name(const char *host, size_t length, const char *name)
{
    for (size_t i = 0; i < length; i++) {
        char c = host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] | 0x20) : host[i];
        if (name[i] == '\0' || c != name[i])
            return false;
    }
    return name[length] == '\0';
}

static bool name_matches(const char *host, const char *name)
{
    size_t length = strlen(host), name_length = strlen(name);
    if (length > 0 && host[length - 1] == '.')
        length--;
    if (name[0] != '.')
        return same_name(host, length, name);
    return length > name_length && same_name(host + length - name_length, name_length, name);
}

static bool rule_matches(const struct rule *rule, const struct address *address, const char *host,
                         unsigned port)
{
    if (rule->port != 0 && rule->port != port)
        return false;
    switch (rule->type) {
    case RULE_ANY: return true;
    case RULE_KIND: return plain_kind(address) == rule->kind;
    case RULE_NETWORK: return within(address, &rule->network, rule->prefix);
    case RULE_NAME: return name_matches(host, rule->text);
    }
    return false;
}

static const struct rule *find_rule(const struct rules *rules, const struct address *address,
                                    const char *host, unsigned port)
{
    for (size_t i = 0; i < rules->count; i++)
        if (rule_matches(&rules->items[i], address, host, port))
            return &rules->items[i];
    return NULL;
}

struct question {
    const struct destination *destination;
    struct address address, views[VIEWS_MAX];
    size_t count;
    unsigned port;
};

/* The address itself is allowed by a rule, or everything that it carries. */
static bool is_allowed(const struct destination_policy *policy, const struct question *question)
{
    const char *host = question->destination->overridden ? "" : question->destination->host;
    if (find_rule(&policy->allow, &question->address, host, question->port))
        return true;
    for (size_t i = 0; i < question->count; i++)
        if (!find_rule(&policy->allow, &question->views[i], host, question->port))
            return false;
    return true;
}

static const struct rule *find_denial(const struct destination_policy *policy,
                                      const struct question *question)
{
    const char *host = question->destination->host;
    const struct rule *rule = find_rule(&policy->deny, &question->address, host, question->port);
    for (size_t i = 0; i < question->count && !rule; i++)
        rule = find_rule(&policy->deny, &question->views[i], host, question->port);
    return rule;
}

static void write_address(const struct question *question, char *ret_text, size_t size)
{
    char numbers[INET6_ADDRSTRLEN] = "?";
    bool six = question->address.bits == 128;
    inet_ntop(six ? AF_INET6 : AF_INET, question->address.bytes, numbers, sizeof numbers);
    snprintf(ret_text, size, six ? "[%s]:%u" : "%s:%u", numbers, question->port);
}

static void explain_rule(const struct destination_policy *policy, const struct question *question,
                         const struct rule *rule, char *ret_reason, size_t size)
{
    const char *settings = settings_of(policy);
    char address[INET6_ADDRSTRLEN + 16], what[300];
    write_address(question, address, sizeof address);
    switch (rule->type) {
    case RULE_ANY: snprintf(what, sizeof what, "not allowed"); break;
    case RULE_KIND: snprintf(what, sizeof what, "%s", kind_text(rule->kind)); break;
    case RULE_NETWORK: snprintf(what, sizeof what, "in %s", rule->text); break;
    case RULE_NAME: snprintf(what, sizeof what, "of %s", rule->text); break;
    }
    snprintf(ret_reason, size, "address %s is %s, denied by %sdeny; to allow it add %s to %sallow", address, what,
             settings, address, settings);
}

static void explain_redirect(const struct question *question, char *ret_reason, size_t size)
{
    char address[INET6_ADDRSTRLEN + 16];
    write_address(question, address, sizeof address);
    snprintf(ret_reason, size, "address %s is private, and a redirect from a public address led to it; "
             "to allow it add %s to [egress] allow", address, address);
}

bool destination_allowed(const struct destination_policy *policy, const struct destination *destination,
                         char *ret_reason, size_t size)
{
    struct question question = { .destination = destination };
    if (!read_sockaddr(destination->address, &question.address, &question.port)) {
        snprintf(ret_reason, size, "only IPv4 and IPv6 addresses are connected to");
        return false;
    }
    question.count = carried(&question.address, question.views);
    for (; policy; policy = policy->otherwise) {
        if (is_allowed(policy, &question))
            return true;
        const struct rule *rule = find_denial(policy, &question);
        if (rule) {
            explain_rule(policy, &question, rule, ret_reason, size);
            return false;
        }
    }
    if (destination->from_public
        && worst_kind(&question.address, question.views, question.count) == DESTINATION_PRIVATE) {
        explain_redirect(&question, ret_reason, size);
        return false;
    }
    return true;
}

/* ---- names without an address ---- */

static const struct rule *find_name_rule(const struct rules *rules, const char *host, unsigned port,
                                         bool any_too)
{
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule *rule = &rules->items[i];
        if ((rule->port == 0 || rule->port == port)
            && ((any_too && rule->type == RULE_ANY)
                || (rule->type == RULE_NAME && name_matches(host, rule->text))))
            return rule;
    }
    return NULL;
}

/* RFC 6761, 6.3: whoever looks it up finds its own loopback. */
static bool is_localhost(const char *host)
{
    return name_matches(host, "localhost") || name_matches(host, ".localhost");
}

union socket_address { struct sockaddr any; struct sockaddr_in four; struct sockaddr_in6 six; };

static bool read_figures(const char *host, unsigned port, union socket_address *ret_address)
{
    memset(ret_address, 0, sizeof *ret_address);
    if (inet_pton(AF_INET, is_localhost(host) ? "127.0.0.1" : host, &ret_address->four.sin_addr) == 1) {
        ret_address->four.sin_family = AF_INET;
        ret_address->four.sin_port = htons((uint16_t)port);
        return true;
    }
    if (inet_pton(AF_INET6, host, &ret_address->six.sin6_addr) != 1)
        return false;
    ret_address->six.sin6_family = AF_INET6;
    ret_address->six.sin6_port = htons((uint16_t)port);
    return true;
}

static bool is_denied(const struct destination_policy *policy, const char *host, unsigned port, bool any_too,
                      char *ret_reason, size_t size)
{
    const struct rule *rule = NULL;
    for (; policy && !rule; policy = rule ? policy : policy->otherwise) {
        if (find_name_rule(&policy->allow, host, port, true))
            return false;
        rule = find_name_rule(&policy->deny, host, port, any_too);
    }
    if (!rule)
        return false;
    const char *settings = settings_of(policy);
    bool any = rule->type == RULE_ANY;
    snprintf(ret_reason, size, "host %s is %s%s, denied by %sdeny; to allow it add %s:%u to %sallow", host,
             any ? "not allowed" : "of ", any ? "" : rule->text, settings, host, port, settings);
    return true;
}

bool destination_name_allowed(const struct destination_policy *policy, const char *host, unsigned port,
                              bool from_public, char *ret_reason, size_t size)
{
    union socket_address address;
    if (!read_figures(host, port, &address))
        return !is_denied(policy, host, port, true, ret_reason, size);
    struct destination destination = { .address = &address.any, .host = host, .from_public = from_public };
    return destination_allowed(policy, &destination, ret_reason, size);
}

bool destination_name_denied(const struct destination_policy *policy, const char *host, unsigned port,
                             char *ret_reason, size_t size)
{
    return is_denied(policy, host, port, false, ret_reason, size);
}
