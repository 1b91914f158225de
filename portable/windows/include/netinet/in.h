/* Addresses of the Internet. */
#ifndef PORTABLE_NETINET_IN_H
#define PORTABLE_NETINET_IN_H

#include <winsock2.h>
#include <ws2tcpip.h>

#endif
