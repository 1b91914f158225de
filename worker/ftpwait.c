/* The two functions that libcurl waits with go through here, by the linker's --wrap (meson.build): a wait becomes
 * many short ones. Waits of no time, which are all that the rest of libcurl's event interface has, pass. */
#include "ftpwait.h"

#include "stream.h"

#include <curl/curl.h>
#include <errno.h>
#include <stddef.h>

#define STEP_MS 100

int __real_Curl_poll(struct pollfd *fds, unsigned count, curl_off_t timeout_ms);
int __wrap_Curl_poll(struct pollfd *fds, unsigned count, curl_off_t timeout_ms);
int __real_Curl_socket_check(curl_socket_t read0, curl_socket_t read1, curl_socket_t write, curl_off_t timeout_ms);
int __wrap_Curl_socket_check(curl_socket_t read0, curl_socket_t read1, curl_socket_t write, curl_off_t timeout_ms);

static bool (*waits)(void *context);
static void *context;

void ftpwait_set(bool (*function)(void *context), void *whose)
{
    waits = function;
    context = whose;
}

/* The next short wait; 0 when no time is left. A negative time has no end. */
static curl_off_t step(curl_off_t *left_ms)
{
    curl_off_t now_ms = *left_ms < 0 || *left_ms > STEP_MS ? STEP_MS : *left_ms;
    if (*left_ms > 0)
        *left_ms -= now_ms;
    return now_ms;
}

static bool ends(void)
{
    if (!waits || !waits(context))
        return false;
    errno = EINTR;
    return true;
}

int __wrap_Curl_poll(struct pollfd *fds, unsigned count, curl_off_t timeout_ms)
{
    int result;
    if (timeout_ms == 0) {
        result = __real_Curl_poll(fds, count, 0);
        return result == 0 && stream_answers_poll(fds, count) ? 1 : result;
    }
    do {
        if (ends())
            return -1;
        result = __real_Curl_poll(fds, count, step(&timeout_ms));
    } while (result == 0 && timeout_ms != 0);
    return result;
}

int __wrap_Curl_socket_check(curl_socket_t read0, curl_socket_t read1, curl_socket_t write, curl_off_t timeout_ms)
{
    int result;
    if (timeout_ms == 0)
        return __real_Curl_socket_check(read0, read1, write, 0);
    do {
        if (ends())
            return -1;
        result = __real_Curl_socket_check(read0, read1, write, step(&timeout_ms));
    } while (result == 0 && timeout_ms != 0);
    return result;
}
