/* How a transfer gets its connection: may it go there, whom does it trust, and the moment before the
 * first byte of the request leaves. */
#ifndef WORKER_DIAL_H
#define WORKER_DIAL_H

#include <curl/curl.h>
#include <stdbool.h>

struct transfer;

/* Whether the egress rules let this hop begin; what only an address can tell is asked for each address. False
 * with transfer->denial set. */
bool dial_may_go(struct transfer *transfer);

/* The same for another port of the target, where its FTP server wants the data connection to go: one that is
 * made directly is asked for by its address, one through a proxy here. */
bool dial_may_reach(struct transfer *transfer, unsigned port);

/* A SOCKS proxy is about to be told to connect to this numeric address, which the target's name led to. */
bool dial_may_send_proxy_to(struct transfer *transfer, const char *address, unsigned port);

curl_socket_t dial_on_curl_open_socket(void *easy, curlsocktype purpose, struct curl_sockaddr *address);
int dial_on_curl_close_socket(void *watches, curl_socket_t fd);
CURLcode dial_on_curl_ssl_ctx(CURL *curl, void *ssl_ctx, void *easy);
int dial_on_curl_prereq(void *easy, char *remote, char *local, int remote_port, int local_port);

#endif
