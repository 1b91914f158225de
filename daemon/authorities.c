/* The CA file, without a TLS library. */
#include "authorities.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define LIMIT_BYTES ((size_t)768 * 1024)   /* one SETTINGS frame carries them */

/* ---- the form ---- */

static const char begins[] = "-----BEGIN CERTIFICATE-----", ends[] = "-----END CERTIFICATE-----";

static int base64_value(uint8_t c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* The length that a DER SEQUENCE says it has in all, 0 for none. Certificates have two or three bytes of
 * length. */
static size_t der_length(const uint8_t *head, size_t length)
{
    if (length < 5 || head[0] != 0x30)
        return 0;
    if (head[1] < 0x80)
        return 2 + (size_t)head[1];
    if (head[1] == 0x81)
        return 3 + (size_t)head[2];
    if (head[1] == 0x82)
        return 4 + ((size_t)head[2] << 8 | head[3]);
    return head[1] == 0x83 ? 5 + ((size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4]) : 0;
}

static bool is_whole(const uint8_t *text, size_t length)
{
    uint8_t head[5] = { 0 };
    size_t bytes = 0, digits = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n' || text[i] == '\r' || text[i] == ' ' || text[i] == '\t' || text[i] == '=')
            continue;
        int value = base64_value(text[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (++digits % 4 == 1)
            continue;
        if (bytes < sizeof head)
            head[bytes] = (uint8_t)(bits >> (6 - 2 * ((digits - 1) % 4)));
        bytes++;
    }
    return bytes > 0 && der_length(head, bytes) == bytes;
}

bool authorities_are_whole(const uint8_t *pem, size_t length)
{
    size_t count = 0;
    const uint8_t *at = pem, *limit = pem + length;
    while ((at = memmem(at, (size_t)(limit - at), begins, sizeof begins - 1))) {
        at += sizeof begins - 1;
        const uint8_t *end = memmem(at, (size_t)(limit - at), ends, sizeof ends - 1);
        if (!end || !is_whole(at, (size_t)(end - at)))
            return false;
        at = end + sizeof ends - 1;
        count++;
    }
    return count > 0;
}

/* ---- the file ---- */

#define SYSTEM "system"

/* "": none, or no file. */
static const char *file_of(const char *setting)
{
    const char *file = strcmp(setting, SYSTEM) == 0 ? authorities_of_system() : setting;
    return file ? file : "";
}

static struct authorities_stamp look(const char *path)
{
    struct authorities_stamp stamp = { 0, 0, 0, 0 };
    uv_fs_t request;
    if (!*path)
        return stamp;
    if (uv_fs_stat(NULL, &request, path, NULL) == 0) {
        const uv_stat_t *found = &request.statbuf;
        stamp = (struct authorities_stamp){
            found->st_dev, found->st_ino, found->st_size,
            (uint64_t)found->st_mtim.tv_sec * 1000000000u + (uint64_t)found->st_mtim.tv_nsec,
        };
    }
    uv_fs_req_cleanup(&request);
    return stamp;
}

static bool same(const struct authorities_stamp *a, const struct authorities_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes
        && a->changed_ns == b->changed_ns;
}

bool authorities_changed(struct authorities *authorities, const char *setting)
{
    struct authorities_stamp now = look(file_of(setting));
    bool settled = same(&now, &authorities->seen);
    authorities->seen = now;
    return settled && !same(&now, &authorities->read);
}

static const char *what_is_wrong(const FILE *file, const uint8_t *pem, size_t length, int error)
{
    if (!file)
        return strerror(error);
    if (!pem)
        return "not enough memory";
    if (length > LIMIT_BYTES)
        return "is larger than 768 KiB";
    return authorities_are_whole(pem, length)
        ? NULL : "holds no certificate (PEM), or one that is cut off or broken";
}

int authorities_read(struct authorities *authorities, const char *setting, char *ret_reason, size_t size)
{
    const char *path = file_of(setting);
    struct authorities_stamp stamp = look(path);
    FILE *file = *path ? fopen(path, "r") : NULL;
    int error = errno;
    uint8_t *pem = file ? malloc(LIMIT_BYTES + 1) : NULL;
    size_t length = pem ? fread(pem, 1, LIMIT_BYTES + 1, file) : 0;
    const char *wrong = *path ? what_is_wrong(file, pem, length, error) : NULL;
    if (file)
        fclose(file);
    authorities->read = authorities->seen = stamp;   /* what is wrong with it is told once */
    if (wrong) {
        snprintf(ret_reason, size, "[tls] ca_file = %.300s: %s", path, wrong);
        free(pem);
        return -1;
    }
    free(authorities->pem);
    authorities->pem = pem;
    authorities->length = length;
    authorities->in_store = strcmp(setting, SYSTEM) == 0 && !*path;
    return 0;
}

void authorities_finish(struct authorities *authorities)
{
    free(authorities->pem);
    authorities->pem = NULL;
}
