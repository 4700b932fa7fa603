/* tls.h - certificates of ours, and the TLS contexts made of them.
 * For:    loading a chain with its key and saying precisely what is wrong; one context per certificate and role; the trust
 *         store that all of them share.
 * Never:  judges a peer (judge.h); issues a ticket: a session resumed on the accepting side has no chain to judge. Sessions
 *         of connections we made: session.h.
 * Owner:  one io_tls per face and settings snapshot; contexts live on in the connections that use them. */
#ifndef IO_TLS_H
#define IO_TLS_H

#include <openssl/ssl.h>

#include "s2s/domain.h"

#define IO_ALPN "xmpp-server" /* RFC 7301 registry, XEP-0368 */

/* ---- one certificate of ours ---- */
typedef struct io_identity io_identity; /* leaf, intermediates, private key */

typedef enum io_cert_fault {
    IO_CERT_OK,
    IO_CERT_MISSING,    /* no such file */
    IO_CERT_UNREADABLE, /* permissions, a folder, an i/o error */
    IO_CERT_FORMAT,     /* no certificate in it (PEM) */
    IO_CERT_KEY_MISSING,
    IO_CERT_KEY_UNREADABLE,
    IO_CERT_KEY_FORMAT, /* no private key in it (PEM), or an encrypted one */
    IO_CERT_KEY_MISMATCH,
    IO_CERT_WEAK, /* OpenSSL will not serve it: under 2048 bits RSA, or signed with SHA-1 */
    IO_CERT_MEMORY
} io_cert_fault;

const char *io_cert_fault_text(
    io_cert_fault fault); /* half a sentence for people; lives for ever */

/* PEM files: the leaf first, then intermediates; key_file NULL: the key is in cert_file. NULL: *fault says why. */
io_identity *io_identity_load(const char *cert_file, const char *key_file, io_cert_fault *fault);
/* The same from memory; key absent: in cert. */
io_identity *io_identity_of_pem(s2s_span cert, s2s_span key, io_cert_fault *fault);
void io_identity_free(io_identity *id); /* NULL is fine */

/* dNSName, SRV-ID or XmppAddr, by the rules that are applied to peers. */
bool io_identity_covers(const io_identity *id, const s2s_domain *domain);
/* Seconds since 1970 of notBefore and notAfter. A certificate out of them is served all the same: warn. */
void io_identity_dates(const io_identity *id, int64_t *from, int64_t *until);

/* ---- trust ---- */
/* One or both of a PEM file and a hashed folder; both NULL: the system's. NULL: the file or folder could not be used; the
 * reason is put into why. Caller frees with X509_STORE_free. */
X509_STORE *io_store_load(const char *file, const char *folder, char why[128]);

/* ---- contexts ---- */
typedef struct io_tls io_tls;

io_tls *io_tls_new(void); /* NULL: no memory */
/* NULL is fine. Connections that are up keep what they use; a handshake of the default context must not be under way. */
void io_tls_free(io_tls *t);

/* Contexts of both roles for a domain; domain NULL: the default, for unknown names. Takes its own reference of id; a
 * second one for a domain replaces the first.
 * S2S_E_NOMEM; S2S_E_TLS_NO_CERTIFICATE: OpenSSL refuses it (io_identity_load would have said so). */
S2S_MUST_CHECK s2s_err io_tls_add(io_tls *t, const s2s_domain *domain, io_identity *id);
bool io_tls_has(const io_tls *t, const s2s_domain *domain); /* added by itself, not by default */

/* For accepting. `domain` (a stream's `to`) chooses; NULL or len 0: the client's SNI does, unknown ones get the default.
 * A domain that was not added gets the default. NULL: there is none. Borrowed from t; io_conn_start_tls takes its own
 * reference. */
SSL_CTX *io_tls_server(const io_tls *t, const s2s_domain *domain);
/* For dialling: shows the domain's certificate when asked; without one (or NULL, len 0): the default's, or none. */
SSL_CTX *io_tls_client(const io_tls *t, const s2s_domain *domain);

#endif
