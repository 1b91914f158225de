/* What is asked of a socket outside of libcurl. On Windows it is a handle and no descriptor: libcurl's type
 * everywhere. */
#ifndef WORKER_SOCKET_H
#define WORKER_SOCKET_H

#include <curl/curl.h>
#include <stdbool.h>

/* A new one that doesn't block and that no child process inherits. CURL_SOCKET_BAD on failure. */
curl_socket_t socket_open(const struct curl_sockaddr *address);

/* 0 or -1, as close(2). */
int socket_close(curl_socket_t fd);

/* Ends the connection; the socket stays. */
void socket_shut(curl_socket_t fd);

/* Whether it is a socket at all. What libcurl wakes itself with is none on Linux. */
bool socket_is_one(curl_socket_t fd);

/* Whether its peer has closed, of a TCP socket on which something came that nobody has read. */
bool socket_is_left(curl_socket_t fd);

#endif
