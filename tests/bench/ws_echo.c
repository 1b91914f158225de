/* An echo fast enough not to be what is measured: WebSocket over TLS, a process a connection, blocking.
 * Sends back each frame as it came, unmasked, piece by piece. For the bench alone: it checks nothing. */
#include <arpa/inet.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (64 * 1024)
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

struct echo {
    SSL *ssl;
    uint8_t in[READ_BYTES + 1], out[READ_BYTES * 2];
    size_t in_length, out_length;
    uint64_t left;            /* of the frame's payload */
    uint8_t mask[4];
    bool closing;
};

static void flush(struct echo *echo)
{
    if (echo->out_length > 0 && SSL_write(echo->ssl, echo->out, (int)echo->out_length) <= 0)
        exit(0);
    echo->out_length = 0;
}

static void read_more(struct echo *echo)
{
    int got = SSL_read(echo->ssl, echo->in + echo->in_length, (int)(READ_BYTES - echo->in_length));
    if (got <= 0)
        exit(0);
    echo->in_length += (size_t)got;
}

static void drop(struct echo *echo, size_t bytes)
{
    echo->in_length -= bytes;
    memmove(echo->in, echo->in + bytes, echo->in_length);
}

/* ---- frames ---- */

/* Takes the head at `at`, and writes its own. Returns its size, 0 when it is not whole. */
static size_t take_head(struct echo *echo, const uint8_t *at, size_t have)
{
    if (have < 2)
        return 0;
    size_t length = at[1] & 0x7f, more = length == 126 ? 2 : length == 127 ? 8 : 0, size = 2 + more + 4;
    if (have < size)
        return 0;
    uint8_t *out = echo->out + echo->out_length;
    memcpy(out, at, 2 + more);
    out[1] &= 0x7f;
    echo->out_length += 2 + more;
    echo->left = more ? 0 : length;
    for (size_t i = 0; i < more; i++)
        echo->left = echo->left << 8 | at[2 + i];
    memcpy(echo->mask, at + 2 + more, 4);
    echo->closing = (at[0] & 15) == 8;
    return size;
}

static size_t take_payload(struct echo *echo, const uint8_t *at, size_t have)
{
    size_t length = have < echo->left ? have : (size_t)echo->left;
    uint8_t *out = echo->out + echo->out_length, mask[8];
    for (size_t i = 0; i < 8; i++)
        mask[i] = echo->mask[i % 4];
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        uint64_t word, key;
        memcpy(&word, at + i, 8);
        memcpy(&key, mask, 8);
        word ^= key;
        memcpy(out + i, &word, 8);
    }
    for (; i < length; i++)
        out[i] = at[i] ^ mask[i % 4];
    for (size_t k = 0; k < 4; k++)
        echo->mask[k] = mask[(length + k) % 4];
    echo->out_length += length;
    echo->left -= length;
    return length;
}

static void serve(struct echo *echo)
{
    for (;;) {
        size_t used = 0;
        while (used < echo->in_length) {
            size_t step = echo->left > 0 ? take_payload(echo, echo->in + used, echo->in_length - used)
                : take_head(echo, echo->in + used, echo->in_length - used);
            if (step == 0)
                break;
            used += step;
        }
        drop(echo, used);
        flush(echo);
        if (echo->closing && echo->left == 0)
            exit(0);
        read_more(echo);
    }
}

/* ---- the handshake ---- */

static void write_accept(char *place, const char *key)
{
    char text[24 + sizeof GUID];
    uint8_t digest[SHA_DIGEST_LENGTH];
    memcpy(text, key, 24);
    memcpy(text + 24, GUID, sizeof GUID);
    SHA1((uint8_t *)text, 24 + sizeof GUID - 1, digest);
    EVP_EncodeBlock((uint8_t *)place, digest, sizeof digest);
}

static void shake_hands(struct echo *echo)
{
    char *end, *key;
    do {
        read_more(echo);
        echo->in[echo->in_length] = '\0';
        end = strstr((char *)echo->in, "\r\n\r\n");
    } while (!end);
    key = strstr((char *)echo->in, "Sec-WebSocket-Key: ");
    if (!key)
        exit(1);
    char accept[64];
    write_accept(accept, key + 19);
    echo->out_length = (size_t)snprintf((char *)echo->out, sizeof echo->out,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    flush(echo);
    drop(echo, (size_t)(end + 4 - (char *)echo->in));
}

static void run(SSL_CTX *context, int fd)
{
    static struct echo echo;
    echo.ssl = SSL_new(context);
    if (!echo.ssl || !SSL_set_fd(echo.ssl, fd) || SSL_accept(echo.ssl) != 1)
        exit(1);
    shake_hands(&echo);
    serve(&echo);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (argc != 3 || !context || SSL_CTX_use_certificate_chain_file(context, argv[1]) != 1
        || SSL_CTX_use_PrivateKey_file(context, argv[2], SSL_FILETYPE_PEM) != 1) {
        fputs("usage: ws_echo CERTIFICATE_FILE KEY_FILE; prints its port\n", stderr);
        return 2;
    }
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 512)
        || getsockname(listener, (struct sockaddr *)&address, &length))
        return 1;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0 && fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            run(context, fd);
        }
        close(fd);
    }
}
