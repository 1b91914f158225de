/* What ThreadSanitizer is not to report, and why; only in a build with it. A worker starts without an environment,
 * so that TSAN_OPTIONS does not reach it. */

const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    /* libcurl's threads that look names up wait for the next one, or in getaddrinfo(), which nobody can end: a
     * worker that has nothing left to do waits for neither. */
    return "thread:Curl_thread_create\n";
}
