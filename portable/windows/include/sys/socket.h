/* Addresses, and what is done with them. */
#ifndef PORTABLE_SYS_SOCKET_H
#define PORTABLE_SYS_SOCKET_H

#include <winsock2.h>
#include <ws2tcpip.h>

#endif
