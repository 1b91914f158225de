/* The system's word for what befell a connection, as libcurl hands it on (CURLINFO_OS_ERRNO): errno on Unix,
 * Winsock's own numbers on Windows. */
#ifndef WORKER_OSERROR_H
#define WORKER_OSERROR_H

/* The constant of <errno.h> that means it, for the few that the worker tells apart; any other as it is. */
int oserror_number(int os_errno);

#endif
