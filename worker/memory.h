/* libcurl keeps URLs, credentials, cookies and header lines in memory that it gives back as it is; nghttp2,
 * which it lends its functions, too. With these it is wiped before. BoringSSL wipes its own. */
#ifndef WORKER_MEMORY_H
#define WORKER_MEMORY_H

#include <curl/curl.h>

/* Instead of curl_global_init(); before any other function of libcurl. */
CURLcode memory_start_curl(void);

#endif
