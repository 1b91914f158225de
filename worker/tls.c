/* Shared trust stores, client certificates, and a count of handshakes. */
#include "tls.h"

#include "systemroots.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct tls_trust { X509_STORE *store; };

struct tls_identity {
    X509 *leaf;
    STACK_OF(X509) *chain;
    EVP_PKEY *key;
};

static uint64_t handshakes;

/* The connections of one origin share one copy of its certificates. */
static CRYPTO_BUFFER_POOL *certificate_pool(void)
{
    static CRYPTO_BUFFER_POOL *pool;
    if (!pool)
        pool = CRYPTO_BUFFER_POOL_new();
    return pool;
}

static BIO *open_pem(struct ipc_bytes pem)
{
    return pem.length > 0 && pem.length <= INT_MAX ? BIO_new_mem_buf(pem.data, (int)pem.length) : NULL;
}

/* A key under a password is refused instead of asking the terminal for it. */
static int on_ssl_password(char *buffer, int size, int writing, void *asked)
{
    (void)buffer, (void)size, (void)writing;
    if (asked)
        *(bool *)asked = true;
    return -1;
}

/* The next certificate; NULL at the end, with *ret_broken when it was not a clean one. */
static X509 *next_certificate(BIO *bio, bool *ret_broken)
{
    ERR_clear_error();
    X509 *certificate = PEM_read_bio_X509(bio, NULL, on_ssl_password, NULL);
    uint32_t error = ERR_peek_last_error();
    *ret_broken = !certificate
        && !(ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE);
    ERR_clear_error();
    return certificate;
}

/* ---- trust ---- */

/* Its key and its extensions, which are looked at once and then remembered: here, and not when the first
 * connection asks. */
static bool is_usable(X509 *certificate)
{
    X509_check_ca(certificate);
    return X509_get0_pubkey(certificate) && !(X509_get_extension_flags(certificate) & EXFLAG_INVALID);
}

/* For want of memory BoringSSL takes a certificate for one that it can't use: the authority would be lost for as
 * long as the worker lives. Many a bundle has some that are really so. */
static bool lacked_memory(X509 *certificate)
{
    if (is_usable(certificate))
        return false;
    X509 *again = X509_dup(certificate);
    bool lacked = !again || is_usable(again);
    X509_free(again);
    ERR_clear_error();
    return lacked;
}

static size_t add_certificates(X509_STORE *store, BIO *bio, bool *ret_broken)
{
    size_t count = 0;
    X509 *certificate;
    while ((certificate = next_certificate(bio, ret_broken))) {
        *ret_broken = lacked_memory(certificate);
        if (!*ret_broken)
            count += (size_t)X509_STORE_add_cert(store, certificate);   /* one that stands twice is fine */
        X509_free(certificate);
        if (*ret_broken)
            break;
    }
    return count;
}

/* Certificates are counted, not copied. */
static bool add_trusted(X509_STORE *store, const struct tls_trust *base)
{
    const STACK_OF(X509_OBJECT) *objects = base ? X509_STORE_get0_objects(base->store) : NULL;
    for (size_t i = 0; objects && i < sk_X509_OBJECT_num(objects); i++) {
        X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        if (certificate && X509_STORE_add_cert(store, certificate) != 1)
            return false;
    }
    return true;
}

static struct tls_trust *create_empty(void)
{
    struct tls_trust *trust = calloc(1, sizeof *trust);
    if (!trust || !(trust->store = X509_STORE_new())) {
        free(trust);
        return NULL;
    }
    /* An intermediate that the user trusts is enough, as everywhere in libcurl. */
    X509_STORE_set_flags(trust->store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
    return trust;
}

struct tls_trust *tls_trust_create(struct ipc_bytes pem, const struct tls_trust *base,
                                   const char **ret_reason)
{
    bool broken = false;
    size_t count = 0;
    BIO *bio = open_pem(pem);
    struct tls_trust *trust = bio ? create_empty() : NULL;
    if (trust) {
        count = add_certificates(trust->store, bio, &broken);
        broken = broken || !add_trusted(trust->store, base);
    }
    BIO_free(bio);
    if (count > 0 && !broken)
        return trust;
    *ret_reason = broken ? "a CA certificate is broken" : "there is no CA certificate in it";
    tls_trust_destroy(trust);
    return NULL;
}

/* The system's store may hold what BoringSSL can't read; the others count all the same. */
static void on_system_root(void *context, const uint8_t *der, size_t length)
{
    struct tls_trust *trust = context;
    X509 *certificate = length <= LONG_MAX ? d2i_X509(NULL, &der, (long)length) : NULL;
    if (certificate)
        X509_STORE_add_cert(trust->store, certificate);
    X509_free(certificate);
    ERR_clear_error();
}

struct tls_trust *tls_trust_system(const struct tls_trust *base)
{
    struct tls_trust *trust = create_empty();
    if (!trust)
        return NULL;
    systemroots_each(on_system_root, trust);
    if (add_trusted(trust->store, base))
        return trust;
    tls_trust_destroy(trust);
    return NULL;
}

void tls_trust_destroy(struct tls_trust *trust)
{
    if (!trust)
        return;
    X509_STORE_free(trust->store);
    free(trust);
}

/* ---- identity ---- */

static bool read_chain(struct tls_identity *identity, BIO *bio)
{
    bool broken = false;
    X509 *certificate;
    identity->leaf = next_certificate(bio, &broken);
    identity->chain = sk_X509_new_null();
    if (!identity->leaf || !identity->chain)
        return false;
    while ((certificate = next_certificate(bio, &broken))) {
        if (!sk_X509_push(identity->chain, certificate)) {
            X509_free(certificate);
            return false;
        }
    }
    return !broken;
}

static const char *read_identity(struct tls_identity *identity, BIO *certificates, BIO *key)
{
    if (!certificates || !read_chain(identity, certificates))
        return "the client certificate is not PEM, or broken";
    bool asked = false;
    identity->key = key ? PEM_read_bio_PrivateKey(key, NULL, on_ssl_password, &asked) : NULL;
    ERR_clear_error();
    if (asked)
        return "the client certificate's key is under a password, which fetchd does not take; "
               "write it without: openssl pkey -in KEY -out NEW";
    if (!identity->key)
        return "the client certificate's key is missing or broken";
    if (X509_check_private_key(identity->leaf, identity->key) != 1)
        return "the key is not the client certificate's";
    return NULL;
}

struct tls_identity *tls_identity_create(struct ipc_bytes cert_pem, struct ipc_bytes key_pem,
                                         const char **ret_reason)
{
    struct tls_identity *identity = calloc(1, sizeof *identity);
    if (!identity) {
        *ret_reason = "no memory for the client certificate";
        return NULL;
    }
    /* Both may stand in one file. */
    BIO *certificates = open_pem(cert_pem), *key = open_pem(key_pem.length > 0 ? key_pem : cert_pem);
    const char *wrong = read_identity(identity, certificates, key);
    BIO_free(certificates);
    BIO_free(key);
    ERR_clear_error();
    if (!wrong)
        return identity;
    *ret_reason = wrong;
    tls_identity_destroy(identity);
    return NULL;
}

void tls_identity_destroy(struct tls_identity *identity)
{
    if (!identity)
        return;
    X509_free(identity->leaf);
    sk_X509_pop_free(identity->chain, X509_free);
    EVP_PKEY_free(identity->key);
    free(identity);
}

/* ---- contexts ---- */

static void on_ssl_info(const SSL *ssl, int where, int value)
{
    (void)ssl, (void)value;
    if (where & SSL_CB_HANDSHAKE_DONE)
        handshakes++;
}

static bool show_identity(SSL_CTX *context, struct tls_identity *identity)
{
    return SSL_CTX_use_certificate(context, identity->leaf) == 1
        && SSL_CTX_set1_chain(context, identity->chain) == 1
        && SSL_CTX_use_PrivateKey(context, identity->key) == 1;
}

bool tls_configure(void *ssl_ctx, struct tls_trust *trust, struct tls_identity *identity)
{
    SSL_CTX *context = ssl_ctx;
    SSL_CTX_set0_buffer_pool(context, certificate_pool());
    SSL_CTX_set_info_callback(context, on_ssl_info);
    if (trust) {
        X509_STORE_up_ref(trust->store);
        SSL_CTX_set_cert_store(context, trust->store);
    }
    return !identity || show_identity(context, identity);
}

void tls_protocol(const void *ssl, char *ret_name, size_t size)
{
    const uint8_t *name = NULL;
    unsigned length = 0;
    if (ssl)
        SSL_get0_alpn_selected(ssl, &name, &length);
    length = length < size ? length : 0;
    if (length > 0)
        memcpy(ret_name, name, length);
    ret_name[length] = '\0';
}

/* ---- the peer's certificates ---- */

static const char pem_start[] = "-----BEGIN CERTIFICATE-----\n", pem_end[] = "-----END CERTIFICATE-----\n";
#define PEM_LINE_BYTES 48   /* 64 characters */

static size_t pem_size(size_t bytes)
{
    return sizeof pem_start + sizeof pem_end + (bytes + 2) / 3 * 4 + bytes / PEM_LINE_BYTES + 2;
}

/* Where its NUL stands. */
static char *write_text(char *at, const char *text)
{
    size_t length = strlen(text);
    memcpy(at, text, length + 1);
    return at + length;
}

static char *write_pem(char *at, const CRYPTO_BUFFER *certificate)
{
    const uint8_t *data = CRYPTO_BUFFER_data(certificate);
    size_t left = CRYPTO_BUFFER_len(certificate);
    at = write_text(at, pem_start);
    while (left > 0) {
        size_t step = left < PEM_LINE_BYTES ? left : PEM_LINE_BYTES;
        at += EVP_EncodeBlock((uint8_t *)at, data, step);
        *at++ = '\n';
        data += step;
        left -= step;
    }
    return write_text(at, pem_end);
}

char *tls_chain(const void *ssl, struct ipc_text *texts, size_t *ret_count)
{
    const STACK_OF(CRYPTO_BUFFER) *chain = ssl ? SSL_get0_peer_certificates(ssl) : NULL;
    size_t count = chain ? sk_CRYPTO_BUFFER_num(chain) : 0, bytes = 0;
    *ret_count = 0;
    if (count > TLS_CHAIN_MOST)
        count = TLS_CHAIN_MOST;
    for (size_t i = 0; i < count; i++)
        bytes += pem_size(CRYPTO_BUFFER_len(sk_CRYPTO_BUFFER_value(chain, i)));
    char *memory = count > 0 ? malloc(bytes) : NULL, *at = memory;
    for (size_t i = 0; memory && i < count; i++) {
        char *start = at;
        at = write_pem(at, sk_CRYPTO_BUFFER_value(chain, i));
        texts[i] = (struct ipc_text){ start, (size_t)(at - start) };
        at++;   /* write_text()'s NUL */
    }
    *ret_count = memory ? count : 0;
    return memory;
}

/* ---- for WebSockets ---- */

void tls_random(void *place, size_t bytes)
{
    RAND_bytes(place, bytes);   /* BoringSSL ends the process rather than fail */
}

void tls_sha1(const void *data, size_t bytes, uint8_t *ret_digest)
{
    SHA1(data, bytes, ret_digest);
}

uint64_t tls_handshakes(void)
{
    return handshakes;
}
