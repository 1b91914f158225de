/* inet_pton(3), inet_ntop(3), and the order of bytes. */
#ifndef PORTABLE_ARPA_INET_H
#define PORTABLE_ARPA_INET_H

#include <winsock2.h>
#include <ws2tcpip.h>

#endif
