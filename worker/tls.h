/* TLS: whom we trust, and who we are. The only file of fetchd that names BoringSSL.
 *
 * libcurl makes an SSL_CTX for each connection. Left alone it would load the CA bundle into each of
 * them, 40 ms of CPU a time; instead all of a worker's contexts share one store of parsed roots. */
#ifndef WORKER_TLS_H
#define WORKER_TLS_H

#include "ipc/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_trust;      /* parsed CA certificates */
struct tls_identity;   /* a client certificate with its chain and key */

/* NULL, with a sentence in *ret_reason, when `pem` has no certificate or a broken one. What `base` trusts is
 * trusted besides; it may be NULL. */
struct tls_trust *tls_trust_create(struct ipc_bytes pem, const struct tls_trust *base,
                                   const char **ret_reason);

/* What the system's own store trusts (systemroots.h), and `base` besides; it may be NULL. NULL without memory. */
struct tls_trust *tls_trust_system(const struct tls_trust *base);

void tls_trust_destroy(struct tls_trust *trust);

struct tls_identity *tls_identity_create(struct ipc_bytes cert_pem, struct ipc_bytes key_pem,
                                         const char **ret_reason);
void tls_identity_destroy(struct tls_identity *identity);

/* For libcurl's SSL_CTX callback. Either may be NULL: nobody is trusted, no certificate is shown. */
bool tls_configure(void *ssl_ctx, struct tls_trust *trust, struct tls_identity *identity);

/* The protocol that both sides agreed on (ALPN, RFC 7301), "" for none. `ssl` is the SSL that libcurl gives
 * by CURLINFO_TLS_SSL_PTR, or NULL. */
void tls_protocol(const void *ssl, char *ret_name, size_t size);

#define TLS_CHAIN_MOST 32

/* The certificates that the peer of this connection showed, its own first, each as PEM: *ret_count texts in
 * `texts`, which has room for TLS_CHAIN_MOST. The memory behind them, to be freed; NULL without any. `ssl` as
 * above. */
char *tls_chain(const void *ssl, struct ipc_text *texts, size_t *ret_count);

/* Bytes that nobody can guess. */
void tls_random(void *place, size_t bytes);

/* 20 bytes. For WebSocket's handshake, which proves nothing by it. */
void tls_sha1(const void *data, size_t bytes, uint8_t *ret_digest);

/* Handshakes that were completed since the start, resumed ones too. */
uint64_t tls_handshakes(void);

#endif
