/* fault_tls.c: an authority and certificates of every bad kind, made in memory when the test runs. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault_internal.h"

#define DAY_S (24L * 60 * 60)

static void extension_add(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    fault_i_must(extension && X509_add_ext(cert, extension, -1) == 1, "an extension");
    X509_EXTENSION_free(extension);
}

/* A certificate for `key`, from two days ago until `end_s` from now, not yet signed. */
static X509 *cert_new(EVP_PKEY *key, const char *name, X509 *issuer, long serial, long end_s)
{
    X509 *cert = X509_new();
    fault_i_must(cert != NULL, "X509_new");
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), -2 * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(cert), end_s);
    X509_set_pubkey(cert, key);
    X509_NAME *subject = X509_get_subject_name(cert);
    fault_i_must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) == 1,
                 "the name");
    X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
    return cert;
}

static X509 *authority_new(EVP_PKEY *key)
{
    X509 *ca = cert_new(key, "fault authority", NULL, 1, DAY_S);
    extension_add(ca, ca, NID_basic_constraints, "critical,CA:TRUE");
    extension_add(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign");
    fault_i_must(X509_sign(ca, key, EVP_sha256()) > 0, "signing the authority");
    return ca;
}

static X509 *leaf_new(fault_tls kind, EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key)
{
    bool wrong = kind == FAULT_TLS_WRONG_NAME, own = kind == FAULT_TLS_SELF_SIGNED;
    const char *name = wrong ? "elsewhere.invalid" : "localhost";
    X509 *leaf = cert_new(key, name, own ? NULL : ca, 2, kind == FAULT_TLS_EXPIRED ? -DAY_S : DAY_S);
    extension_add(leaf, own ? leaf : ca, NID_subject_alt_name,
                  wrong ? "DNS:elsewhere.invalid" : "DNS:localhost,IP:127.0.0.1");
    fault_i_must(X509_sign(leaf, own ? key : ca_key, EVP_sha256()) > 0, "signing the certificate");
    return leaf;
}

/* A new file with the certificate, and its key unless NULL. */
static void pem_write(X509 *cert, EVP_PKEY *key, char *name, size_t room)
{
    const char *folder = getenv("TMPDIR");
    snprintf(name, room, "%s/fault_pem_XXXXXX", folder ? folder : "/tmp");
    int fd = mkstemp(name);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    bool ok = file && PEM_write_X509(file, cert) == 1;
    if (ok && key) ok = PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;
    fault_i_must(ok && fclose(file) == 0, "writing a certificate");
}

/* HTTP/2 to those who offer it. */
static int protocol_choose(SSL *ssl, const unsigned char **out, unsigned char *out_size, const unsigned char *in,
                           unsigned in_size, void *arg)
{
    static const unsigned char ours[] = "\x2h2\x8http/1.1";
    unsigned char *chosen = NULL;
    (void)ssl, (void)arg;
    if (SSL_select_next_proto(&chosen, out_size, ours, sizeof ours - 1, in, in_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* A client's certificate is asked for, and one is made that will do. */
static void mutual_set(SSL_CTX *tls, X509 *ca, EVP_PKEY *ca_key, fault_files *files)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    fault_i_must(key != NULL, "making keys");
    X509 *client = leaf_new(FAULT_TLS_GOOD, key, ca, ca_key);
    pem_write(client, key, files->client, sizeof files->client);
    fault_i_must(X509_STORE_add_cert(SSL_CTX_get_cert_store(tls), ca) == 1, "trusting the authority");
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    X509_free(client);
    EVP_PKEY_free(key);
}

static void versions_limit(SSL_CTX *tls)
{
    SSL_CTX_set_security_level(tls, 0);
    SSL_CTX_set_min_proto_version(tls, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(tls, TLS1_1_VERSION);
}

SSL_CTX *fault_i_tls_new(fault_tls kind, bool http2, fault_files *files)
{
    if (kind == FAULT_TLS_NONE) return NULL;
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    fault_i_must(ca_key && key, "making keys");
    X509 *ca = authority_new(ca_key), *leaf = leaf_new(kind, key, ca, ca_key);
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    fault_i_must(tls != NULL, "SSL_CTX_new");
    if (kind == FAULT_TLS_OLD) versions_limit(tls);
    fault_i_must(SSL_CTX_use_certificate(tls, leaf) == 1 && SSL_CTX_use_PrivateKey(tls, key) == 1, "taking the certificate");
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (http2) SSL_CTX_set_alpn_select_cb(tls, protocol_choose, NULL);
    if (kind == FAULT_TLS_MUTUAL) mutual_set(tls, ca, ca_key, files);
    pem_write(ca, NULL, files->ca, sizeof files->ca);
    X509_free(leaf);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return tls;
}
