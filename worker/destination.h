/* May we connect to this address? A pure decision on a numeric address, the name that was asked
 * for and the port. The answer is asked for the address that is really connected to, each time,
 * so that neither DNS rebinding nor a redirect passes it.
 *
 * A rule is a text:  NETWORK[:PORT]    10.0.0.0/8   192.0.2.7:8080   fd00::/8   [fd00::/8]:443
 *                    NAME[:PORT]       intranet.example:8443   .example.com (its subdomains)
 *                    GROUP[:PORT]      loopback link-local unspecified multicast private reserved any
 * `allow` wins over `deny`. Private networks (RFC 1918, RFC 6598, RFC 4193) need no rule: they are
 * reached directly, but not by a redirect that a public address sent. IPv6 forms that carry an IPv4
 * address (mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP) count as what they carry. */
#ifndef WORKER_DESTINATION_H
#define WORKER_DESTINATION_H

#include "ipc/message.h"

#include <stdbool.h>
#include <stddef.h>

struct sockaddr;
struct destination_policy;

enum destination_kind {
    DESTINATION_PUBLIC, DESTINATION_LOOPBACK, DESTINATION_LINK_LOCAL, DESTINATION_UNSPECIFIED,
    DESTINATION_MULTICAST, DESTINATION_PRIVATE, DESTINATION_RESERVED,
};

struct destination {
    const struct sockaddr *address;   /* AF_INET or AF_INET6; any other family is denied */
    const char *host;                 /* as in the URL, without brackets; "" matches no name */
    bool from_public;                 /* a redirect from a public address led here */
    bool overridden;                  /* the client gave the name its address: `allow` by name is void */
};

/* Reads the rules. Without any in `deny`, the groups that DESIGN.md denies by default are denied;
 * `any` in `allow` opens everything. NULL with a sentence in ret_reason for a rule it can't read. */
struct destination_policy *destination_policy_create(struct ipc_texts allow, struct ipc_texts deny,
                                                     char *ret_reason, size_t size);

/* Rules that are asked first, of a class of users; where neither matches, `otherwise` holds, which must live
 * as long. */
struct destination_policy *destination_policy_create_before(const struct destination_policy *otherwise,
                                                            struct ipc_texts allow, struct ipc_texts deny,
                                                            char *ret_reason, size_t size);
void destination_policy_destroy(struct destination_policy *policy);

/* When false, ret_reason says what the address is, and which setting would allow it. */
bool destination_allowed(const struct destination_policy *policy, const struct destination *destination,
                         char *ret_reason, size_t size);

/* The same for a host that a proxy connects to, or looks up, so that no address is known: an address in
 * figures and "localhost" are what they are, any other name is held against rules for names and `any`. */
bool destination_name_allowed(const struct destination_policy *policy, const char *host, unsigned port,
                              bool from_public, char *ret_reason, size_t size);

/* Whether a rule denies this name itself, wherever it leads. */
bool destination_name_denied(const struct destination_policy *policy, const char *host, unsigned port,
                             char *ret_reason, size_t size);

/* What an address is; the least public of those that it carries. */
enum destination_kind destination_kind(const struct sockaddr *address);

#endif
