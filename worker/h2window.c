/* How much of an HTTP/2 answer may be on its way to us. libcurl opens each stream's window to 10 MiB, twice,
 * and what is under way when a transfer pauses it must keep: 50 stalled streams would cost 500 MB. It has no
 * option for that, so the nghttp2 functions that it sets windows with go through here, by the linker's
 * --wrap (meson.build). A stream begins with a small window, which grows as its bytes come, up to its
 * share of a budget that all streams of this worker have together (RFC 9113, 5.2; as TCP does it). */
#include "window.h"

#include <nghttp2/nghttp2.h>

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
    if (now < WINDOW_LEAST_BYTES) {
        int result =
            __real_nghttp2_session_set_local_window_size(session, flags, stream_id, WINDOW_LEAST_BYTES);
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
    int32_t most = window_share();
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
        if (ours[i].settings_id == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE && ours[i].value > WINDOW_LEAST_BYTES)
            ours[i].value = WINDOW_LEAST_BYTES;
    }
    return __real_nghttp2_submit_settings(session, flags, ours, count);
}
