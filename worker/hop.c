/* HOP and what GO makes of a fetch. */
#include "hop.h"

#include "answer.h"
#include "ipc/origin.h"
#include "ipc/redirect.h"
#include "transfer.h"

#include <stdlib.h>
#include <string.h>

static const char *check_target(const struct transfer *transfer, const char *url)
{
    struct ipc_origin origin;
    const char *reason;
    if (ipc_origin_parse(ipc_text(url), &origin, &reason) < 0)
        return reason;
    if (transfer->websocket)
        return ipc_text_is(origin.scheme, "ws") || ipc_text_is(origin.scheme, "wss") ? NULL
            : "redirects of a WebSocket are followed to ws, wss, http and https only";
    if (!ipc_text_is(origin.scheme, "http") && !ipc_text_is(origin.scheme, "https"))
        return "redirects are followed to http and https only";
    return NULL;
}

/* libcurl calls any answer but 101 an error, and does not look where it leads then. The same
 * connection over http and https is ws and wss (RFC 6455, 3). */
static char *find_websocket_target(struct transfer *transfer)
{
    struct ipc_bytes location = headers_find(&transfer->headers, "location");
    char *relative = strndup((const char *)location.data, location.length), *scheme = NULL, *found = NULL;
    char *url = NULL;
    CURLU *parts = curl_url();
    if (parts && relative && curl_url_set(parts, CURLUPART_URL, transfer->fetch->url.data, 0) == CURLUE_OK
        && curl_url_set(parts, CURLUPART_URL, relative, 0) == CURLUE_OK
        && curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK) {
        if (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0)
            curl_url_set(parts, CURLUPART_SCHEME, scheme[4] ? "wss" : "ws", 0);
        curl_url_get(parts, CURLUPART_URL, &found, 0);
    }
    if (relative)
        url = strdup(found ? found : "");   /* "" is refused as no URL */
    curl_free(found);
    curl_free(scheme);
    curl_url_cleanup(parts);
    free(relative);
    return url;
}

/* libcurl has made it absolute; it lives no longer than the easy handle is ours. */
static char *find_target(struct transfer *transfer)
{
    char *url = NULL;
    curl_easy_getinfo(transfer->easy->curl, CURLINFO_REDIRECT_URL, &url);
    return strdup(url ? url : "");
}

static bool keep_target(struct transfer *transfer)
{
    free(transfer->next_url);
    transfer->next_url = transfer->websocket ? find_websocket_target(transfer) : find_target(transfer);
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
    IPC_INIT(HOP, &hop);
    hop.status = transfer->headers.status;
    hop.url = ipc_text(transfer->next_url);
    hop.http_version = ipc_text(transfer->headers.version);
    hop.headers = answer_pairs(transfer);
    /* Once a public address had a say, it stays so: a private one may only pass on its word. */
    hop.from_public = transfer->fetch->from_public || transfer->remote_public;
    transfer_leave_curl(transfer);
    transfer->state = TRANSFER_HOPPING;
    transfer->redirects++;
    deadline_enter(&transfer->deadline, DEADLINE_NONE);
    transfer_say(transfer, IPC_HOP, &hop);
}

bool hop_follow(struct transfer *transfer)
{
    struct ipc_fetch *fetch = transfer->fetch;
    struct ipc_text url = ipc_text(transfer->next_url);
    const char *reason;
    /* The array is in the fetch's own block, and what stays only moves to its front. */
    struct ipc_redirect_headers kept = {
        (struct ipc_pair *)(uintptr_t)fetch->headers.items, fetch->headers.count,
    };
    fetch->from_public = fetch->from_public || transfer->remote_public;
    if (ipc_redirect_apply(fetch, transfer->headers.status, url, &kept, &reason) < 0) {
        transfer_fail(transfer, IPC_ERROR_REDIRECT_INVALID, reason);
        return false;
    }
    free(transfer->hop_url);
    transfer->hop_url = transfer->next_url;
    transfer->next_url = NULL;
    deadline_enter(&transfer->deadline, DEADLINE_CONNECT);
    return true;
}
