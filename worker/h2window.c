/* HTTP/2 windows under a budget, between libcurl and nghttp2. */
#include "h2window.h"

#include <nghttp2/nghttp2.h>

#define BUDGET_BYTES (2 * 1024 * 1024)
#define LEAST_BYTES (32 * 1024)
#define MOST_BYTES (1024 * 1024)

static unsigned streams;

void h2window_enter(void)
{
    streams++;
}

void h2window_leave(void)
{
    streams--;
}

static int32_t share(void)
{
    int32_t bytes = BUDGET_BYTES / (int32_t)(streams ? streams : 1);
    return bytes < LEAST_BYTES ? LEAST_BYTES : bytes > MOST_BYTES ? MOST_BYTES : bytes;
}

/* ---- nghttp2's functions, as libcurl calls them, and as they are ---- */

int __real_nghttp2_session_set_local_window_size(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                                                 int32_t window_size);
int __real_nghttp2_submit_window_update(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                                        int32_t increment);
int __real_nghttp2_session_consume(nghttp2_session *session, int32_t stream_id, size_t size);
int __real_nghttp2_submit_settings(nghttp2_session *session, uint8_t flags, const nghttp2_settings_entry *entries,
                                   size_t count);

int __wrap_nghttp2_session_set_local_window_size(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                                                 int32_t window_size);
int __wrap_nghttp2_submit_window_update(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                                        int32_t increment);
int __wrap_nghttp2_session_consume(nghttp2_session *session, int32_t stream_id, size_t size);
int __wrap_nghttp2_submit_settings(nghttp2_session *session, uint8_t flags, const nghttp2_settings_entry *entries,
                                   size_t count);

/* 0 pauses a stream. Anything else only says that it may go on: how far is ours to say. What was
 * consumed meanwhile must be told to the peer then, or both wait: nghttp2 tells only when more comes. */
int __wrap_nghttp2_session_set_local_window_size(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                                                 int32_t window_size)
{
    if (stream_id == 0 || window_size == 0)
        return __real_nghttp2_session_set_local_window_size(session, flags, stream_id, window_size);
    int32_t now = nghttp2_session_get_stream_effective_local_window_size(session, stream_id);
    if (now < LEAST_BYTES) {
        int result = __real_nghttp2_session_set_local_window_size(session, flags, stream_id, LEAST_BYTES);
        if (result != 0)
            return result;
    }
    return nghttp2_session_consume_stream(session, stream_id, 0);
}

/* libcurl says with it once more what it said with the above. */
int __wrap_nghttp2_submit_window_update(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                                        int32_t increment)
{
    return stream_id != 0 ? 0 : __real_nghttp2_submit_window_update(session, flags, stream_id, increment);
}

/* Bytes came and libcurl has them. The window grows by as much, up to its share; that of a paused
 * stream is 0 and stays so. */
int __wrap_nghttp2_session_consume(nghttp2_session *session, int32_t stream_id, size_t size)
{
    int32_t now = nghttp2_session_get_stream_effective_local_window_size(session, stream_id);
    int32_t most = share();
    if (now > 0 && now < most) {
        int32_t wanted = most - now < (int32_t)size ? most : now + (int32_t)size;
        __real_nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, stream_id, wanted);
    }
    return __real_nghttp2_session_consume(session, stream_id, size);
}

int __wrap_nghttp2_submit_settings(nghttp2_session *session, uint8_t flags, const nghttp2_settings_entry *entries,
                                   size_t count)
{
    nghttp2_settings_entry ours[8];
    if (count > sizeof ours / sizeof ours[0])
        return __real_nghttp2_submit_settings(session, flags, entries, count);
    for (size_t i = 0; i < count; i++) {
        ours[i] = entries[i];
        if (ours[i].settings_id == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE && ours[i].value > LEAST_BYTES)
            ours[i].value = LEAST_BYTES;
    }
    return __real_nghttp2_submit_settings(session, flags, ours, count);
}
