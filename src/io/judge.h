/* judge.h - is this chain good, and does it name the domain? (RFC 6120 13.7.2, RFC 9525)
 * For:    one function for both roles, used after the handshake, which accepts every chain.
 * Never:  looks at the subject's common name; decides what a bad chain means for the link.
 * Owner:  nothing is kept.                                                  */
#ifndef IO_JUDGE_H
#define IO_JUDGE_H

#include <openssl/ssl.h>
#include <time.h>

#include "s2s/domain.h"
#include "s2s/stream.h"

typedef struct io_judge_ask {
    X509 *leaf;                 /* NULL: the peer showed none */
    STACK_OF(X509) * untrusted; /* as sent, the leaf may be among them; NULL is fine */
    X509_STORE *store;          /* whom to trust */
    s2s_role peer;              /* S2S_INITIATING: the peer was the TLS client */
    const s2s_domain *name;     /* reference identity; NULL: the chain alone */
    time_t at;                  /* judged as of then; 0: now */
} io_judge_ask;

/* S2S_E_OK, CERT_MISSING, CERT_UNTRUSTED (chain, signature, a CA as leaf), CERT_EXPIRED (or not yet valid), CERT_WEAK,
 * CERT_USAGE, CERT_NAME; NOMEM. `detail`, when not NULL, gets half a sentence for logs. */
s2s_err io_judge(const io_judge_ask *ask, char detail[128]);

/* The two halves of it. A chain that is good is so from `from` until before `until`, seconds since 1970. */
typedef struct io_chain {
    bool constrained; /* an issuer has name constraints */
    int64_t from, until;
} io_chain;
s2s_err io_judge_chain(const io_judge_ask *ask, io_chain *out, char detail[128]);
s2s_err io_judge_leaf(const io_judge_ask *ask, const io_chain *chain, char detail[128]);

/* What is to be judged of a connection's peer; the role is the connection's. Borrows all three. */
io_judge_ask io_judge_ask_of(const SSL *ssl, X509_STORE *store, const s2s_domain *name);
s2s_err io_judge_ssl(const SSL *ssl, X509_STORE *store, const s2s_domain *name, char detail[128]);

/* dNSName (one whole left label may be "*"), SRVName _xmpp-server.NAME, XmppAddr NAME. `constrained`: an issuer has name
 * constraints; then only dNSName counts, which OpenSSL has held against them. */
bool io_cert_names(X509 *leaf, const s2s_domain *name, bool constrained);

#endif
