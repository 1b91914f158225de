/* SOCKS4 and SOCKS5 proxies are given an address: the target's name is looked up here, by libcurl, and the
 * egress rules hold for what it finds. There is no callback for that, so its functions that begin such a
 * way and that take an address for it go through here, by the linker's --wrap (meson.build). What a proxy looks up
 * itself (4a, 5h, HTTP) nobody here sees. */
#include "dial.h"
#include "transfer.h"

#define ADDRESS_BYTES 64
#define DATA 1           /* FTP's second connection */

struct Curl_easy;
struct Curl_cfilter;
struct Curl_peer;
struct Curl_creds;
struct Curl_addrinfo;

CURLcode __real_Curl_cf_socks_proxy_insert_after(struct Curl_cfilter *at, struct Curl_easy *data,
                                                 struct Curl_peer *target, uint8_t ip_version, uint8_t type,
                                                 struct Curl_creds *credentials);
CURLcode __wrap_Curl_cf_socks_proxy_insert_after(struct Curl_cfilter *at, struct Curl_easy *data,
                                                 struct Curl_peer *target, uint8_t ip_version, uint8_t type,
                                                 struct Curl_creds *credentials);
const struct Curl_addrinfo *__real_Curl_conn_dns_get_ai(struct Curl_easy *data, struct Curl_peer *peer,
                                                        int8_t sockindex, int family, unsigned index);
const struct Curl_addrinfo *__wrap_Curl_conn_dns_get_ai(struct Curl_easy *data, struct Curl_peer *peer,
                                                        int8_t sockindex, int family, unsigned index);

void Curl_printable_address(const struct Curl_addrinfo *found, char *ret_text, size_t size);

/* NULL for a handle of libcurl's own. */
static struct transfer *transfer_of(struct Curl_easy *data)
{
    char *private = NULL;
    if (curl_easy_getinfo((CURL *)data, CURLINFO_PRIVATE, &private) != CURLE_OK || !private)
        return NULL;
    return ((struct easy *)(void *)private)->transfer;
}

CURLcode __wrap_Curl_cf_socks_proxy_insert_after(struct Curl_cfilter *at, struct Curl_easy *data,
                                                 struct Curl_peer *target, uint8_t ip_version, uint8_t type,
                                                 struct Curl_creds *credentials)
{
    struct transfer *transfer = transfer_of(data);
    if (transfer)
        transfer->socks_target = target;
    return __real_Curl_cf_socks_proxy_insert_after(at, data, target, ip_version, type, credentials);
}

/* For the proxy's own addresses libcurl asks with another peer, and opens their sockets by our callback. */
const struct Curl_addrinfo *__wrap_Curl_conn_dns_get_ai(struct Curl_easy *data, struct Curl_peer *peer,
                                                        int8_t sockindex, int family, unsigned index)
{
    const struct Curl_addrinfo *found = __real_Curl_conn_dns_get_ai(data, peer, sockindex, family, index);
    struct transfer *transfer = found ? transfer_of(data) : NULL;
    char address[ADDRESS_BYTES];
    if (!transfer || peer != transfer->socks_target)
        return found;
    Curl_printable_address(found, address, sizeof address);
    unsigned port = sockindex == DATA ? transfer->ftp.data_port : transfer->target_port;
    return dial_may_send_proxy_to(transfer, address, port) ? found : NULL;
}
