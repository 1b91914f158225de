/* HOP and what GO makes of a fetch. */
#include "hop.h"

#include "answer.h"
#include "ipc/origin.h"
#include "ipc/redirect.h"
#include "ipc/secret.h"
#include "keep.h"
#include "memo.h"
#include "transfer.h"

#include <stdlib.h>
#include <string.h>

static const char *check_target(const struct transfer *transfer, const char *url)
{
    struct ipc_origin origin;
    const char *reason;
    if (ipc_origin_parse(ipc_text(url), &origin, &reason) < 0)
        return url[0] ? reason : "Location is no URL";
    if (transfer->websocket)
        return ipc_text_is(origin.scheme, "ws") || ipc_text_is(origin.scheme, "wss") ? NULL
            : "redirects of a WebSocket are followed to ws, wss, http and https only";
    if (!ipc_text_is(origin.scheme, "http") && !ipc_text_is(origin.scheme, "https"))
        return "redirects are followed to http and https only";
    return NULL;
}

/* Where Location leads from here: absolute, and percent-encoded where it should have been. Not by
 * CURLINFO_REDIRECT_URL, which is empty for a body too long to wait for its end and for any answer to a
 * WebSocket's request. The same connection over http and https is ws and wss (RFC 6455, 3). "" for what
 * is no URL, NULL without memory. */
static char *resolve(const char *base, const char *location, bool websocket)
{
    const unsigned flags = CURLU_URLENCODE | CURLU_ALLOW_SPACE | CURLU_NON_SUPPORT_SCHEME;
    char *scheme = NULL, *whole = NULL;
    CURLU *url = curl_url();
    if (url && curl_url_set(url, CURLUPART_URL, base, flags) == CURLUE_OK
        && curl_url_set(url, CURLUPART_URL, location, flags) == CURLUE_OK
        && curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK) {
        if (websocket && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0))
            curl_url_set(url, CURLUPART_SCHEME, scheme[4] ? "wss" : "ws", 0);
        curl_url_get(url, CURLUPART_URL, &whole, 0);
    }
    char *copy = url ? strdup(whole ? whole : "") : NULL;
    curl_free(whole);
    curl_free(scheme);
    curl_url_cleanup(url);
    return copy;
}

static bool keep_target(struct transfer *transfer)
{
    struct ipc_bytes location = headers_find(&transfer->headers, "location");
    char *text = strndup((const char *)location.data, location.length);
    free(transfer->next_url);
    transfer->next_url = text ? resolve(transfer->fetch->url.data, text, transfer->websocket) : NULL;
    free(text);
    return transfer->next_url != NULL;
}

void hop_say(struct transfer *transfer)
{
    if (!keep_target(transfer)) {
        transfer_fail(transfer, IPC_ERROR_OUT_OF_MEMORY, "no memory for a redirect");
        return;
    }
    const char *wrong = check_target(transfer, transfer->next_url);
    if (wrong) {
        transfer_fail(transfer, IPC_ERROR_REDIRECT_INVALID, wrong);
        return;
    }
    struct ipc_hop hop;
    struct memo memo;
    IPC_INIT(HOP, &hop);
    hop.status = transfer->headers.status;
    hop.url = ipc_text(transfer->next_url);
    hop.http_version = ipc_text(transfer->headers.version);
    hop.headers = answer_pairs(transfer);
    /* Once a public address had a say, it stays so: a private one may only pass on its word. */
    hop.from_public = transfer->fetch->from_public || transfer->remote_public;
    if (transfer->fetch->in_session) {
        memo_read(&memo, hop.headers);
        hop.set_cookies.items = memo.cookies;
        hop.set_cookies.count = memo.cookie_count;
        hop.hsts = memo.wants_tls ? &memo.hsts : NULL;
    }
    transfer_leave_curl(transfer);
    transfer->state = TRANSFER_HOPPING;
    transfer->redirects++;
    deadline_enter(&transfer->deadline, DEADLINE_NONE);
    transfer_say(transfer, IPC_HOP, &hop);
}

/* The cookies of the next hop, and its URL when the daemon wants another. */
static bool keep_go(struct transfer *transfer, const struct ipc_go *go)
{
    ipc_secret_free(transfer->go);
    transfer->go = keep_message(IPC_GO, go);
    if (!transfer->go || go->url.length == 0)
        return transfer->go != NULL;
    free(transfer->next_url);
    transfer->next_url = strdup(transfer->go->url.data);
    return transfer->next_url != NULL;
}

bool hop_follow(struct transfer *transfer, const struct ipc_go *go)
{
    struct ipc_fetch *fetch = transfer->fetch;
    const char *reason;
    fetch->cookies = (struct ipc_pairs){ NULL, 0 };   /* they were the last GO's */
    if (!keep_go(transfer, go)) {
        transfer_fail(transfer, IPC_ERROR_OUT_OF_MEMORY, "no memory for a redirect");
        return false;
    }
    struct ipc_text url = ipc_text(transfer->next_url);
    /* The array is in the fetch's own block, and what stays only moves to its front. */
    struct ipc_redirect_headers kept = {
        (struct ipc_pair *)(uintptr_t)fetch->headers.items, fetch->headers.count,
    };
    fetch->from_public = fetch->from_public || transfer->remote_public;
    if (ipc_redirect_apply(fetch, transfer->headers.status, url, &kept, &reason) < 0) {
        transfer_fail(transfer, IPC_ERROR_REDIRECT_INVALID, reason);
        return false;
    }
    fetch->cookies = transfer->go->cookies;
    free(transfer->hop_url);
    transfer->hop_url = transfer->next_url;
    transfer->next_url = NULL;
    deadline_enter(&transfer->deadline, DEADLINE_CONNECT);
    return true;
}
