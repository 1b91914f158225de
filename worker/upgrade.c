/* RFC 6455, section 4.1. */
#include "upgrade.h"

#include "check.h"
#include "tls.h"

#include <stdlib.h>
#include <string.h>

#define KEY_PREFIX "Sec-WebSocket-Key: "
#define PROTOCOL_PREFIX "Sec-WebSocket-Protocol: "
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define DIGEST_BYTES 20
#define ACCEPT_BYTES 28           /* the digest in base64 */

/* Writes (length + 2) / 3 * 4 characters. */
static void write_base64(char *place, const uint8_t *data, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        uint32_t bits = (uint32_t)data[i] << 16;
        bits |= i + 1 < length ? (uint32_t)data[i + 1] << 8 : 0;
        bits |= i + 2 < length ? data[i + 2] : 0;
        *place++ = digits[bits >> 18];
        *place++ = digits[bits >> 12 & 63];
        *place++ = i + 1 < length ? digits[bits >> 6 & 63] : '=';
        *place++ = i + 2 < length ? digits[bits & 63] : '=';
    }
}

/* ---- the request ---- */

static void write_key(struct upgrade *upgrade)
{
    uint8_t nonce[16];
    tls_random(nonce, sizeof nonce);
    memcpy(upgrade->key_line, KEY_PREFIX, sizeof KEY_PREFIX - 1);
    write_base64(upgrade->key_line + sizeof KEY_PREFIX - 1, nonce, sizeof nonce);
    upgrade->key_line[sizeof upgrade->key_line - 1] = '\0';
}

/* "a, b", in order of preference. */
static char *write_protocols(struct ipc_texts subprotocols)
{
    size_t length = sizeof PROTOCOL_PREFIX;
    for (size_t i = 0; i < subprotocols.count; i++)
        length += subprotocols.items[i].length + 2;
    char *line = malloc(length), *at = line;
    if (!line)
        return NULL;
    memcpy(at, PROTOCOL_PREFIX, sizeof PROTOCOL_PREFIX - 1);
    at += sizeof PROTOCOL_PREFIX - 1;
    for (size_t i = 0; i < subprotocols.count; i++) {
        if (i > 0) {
            *at++ = ',';
            *at++ = ' ';
        }
        memcpy(at, subprotocols.items[i].data, subprotocols.items[i].length);
        at += subprotocols.items[i].length;
    }
    *at = '\0';
    return line;
}

struct curl_slist *upgrade_lines(struct upgrade *upgrade, struct ipc_texts subprotocols,
                                 struct curl_slist *lines)
{
    write_key(upgrade);
    upgrade->key_node = (struct curl_slist){ upgrade->key_line, lines };
    if (subprotocols.count == 0)
        return &upgrade->key_node;
    free(upgrade->protocol_line);
    upgrade->protocol_line = write_protocols(subprotocols);
    upgrade->protocol_node = (struct curl_slist){ upgrade->protocol_line, &upgrade->key_node };
    return upgrade->protocol_line ? &upgrade->protocol_node : NULL;
}

void upgrade_finish(struct upgrade *upgrade)
{
    free(upgrade->protocol_line);
    upgrade->protocol_line = NULL;
}

/* ---- the answer ---- */

/* The header's only value, or data NULL; *ret_count says how often it stands there. */
static struct ipc_bytes find(struct ipc_pairs headers, const char *lower_case, size_t *ret_count)
{
    struct ipc_bytes value = { NULL, 0 };
    *ret_count = 0;
    for (size_t i = 0; i < headers.count; i++) {
        if (!check_name_is(headers.items[i].name, lower_case))
            continue;
        value = headers.items[i].value;
        ++*ret_count;
    }
    return value;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == ',';
}

static bool list_has(struct ipc_bytes list, const char *lower_case)
{
    for (size_t i = 0; i < list.length; i++) {
        size_t start = i;
        while (i < list.length && !is_blank(list.data[i]))
            i++;
        if (check_name_is((struct ipc_bytes){ list.data + start, i - start }, lower_case))
            return true;
    }
    return false;
}

static bool any_list_has(struct ipc_pairs headers, const char *name, const char *lower_case)
{
    for (size_t i = 0; i < headers.count; i++)
        if (check_name_is(headers.items[i].name, name) && list_has(headers.items[i].value, lower_case))
            return true;
    return false;
}

static bool accepts(const struct upgrade *upgrade, struct ipc_bytes value)
{
    char text[UPGRADE_KEY_BYTES + sizeof GUID], accept[ACCEPT_BYTES];
    uint8_t digest[DIGEST_BYTES];
    memcpy(text, upgrade->key_line + sizeof KEY_PREFIX - 1, UPGRADE_KEY_BYTES);
    memcpy(text + UPGRADE_KEY_BYTES, GUID, sizeof GUID);
    tls_sha1(text, UPGRADE_KEY_BYTES + sizeof GUID - 1, digest);
    write_base64(accept, digest, sizeof digest);
    return value.length == ACCEPT_BYTES && memcmp(value.data, accept, ACCEPT_BYTES) == 0;
}

static bool offered(struct ipc_texts subprotocols, struct ipc_bytes value)
{
    for (size_t i = 0; i < subprotocols.count; i++)
        if (subprotocols.items[i].length == value.length
            && memcmp(subprotocols.items[i].data, value.data, value.length) == 0)
            return true;
    return false;
}

const char *upgrade_check(const struct upgrade *upgrade, struct ipc_texts subprotocols,
                          struct ipc_pairs headers)
{
    size_t count;
    struct ipc_bytes value = find(headers, "upgrade", &count);
    if (count != 1 || !check_name_is(value, "websocket"))
        return "the answer's Upgrade is not websocket";
    if (!any_list_has(headers, "connection", "upgrade"))
        return "the answer's Connection does not name Upgrade";
    value = find(headers, "sec-websocket-accept", &count);
    if (count != 1 || !accepts(upgrade, value))
        return "the answer's Sec-WebSocket-Accept does not match the key";
    value = find(headers, "sec-websocket-extensions", &count);
    if (count > 1 || value.length > 0)
        return "the origin uses an extension that was not offered";
    value = find(headers, "sec-websocket-protocol", &count);
    if (count > 1 || (count == 1 && !offered(subprotocols, value)))
        return "the origin chose a subprotocol that was not offered";
    return NULL;
}
