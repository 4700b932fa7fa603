/* tls.c - contexts; see tls.h. */
#include "io/tls.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "io/conn.h"
#include "io/identity.h"

enum {
    LEVEL = 2,            /* of our own certificates and of signatures in the handshake */
    CERTS_MAX = 64 * 1024 /* octets of a peer's chain */
};

static const char SUITES_12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char SUITES_13[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char GROUPS[] = "X25519:P-256:P-384";
static const unsigned char SESSION_ID[] = "causeway";

typedef struct tls_row {
    s2s_domain domain; /* len 0: the default */
    io_identity *id;
    SSL_CTX *server, *client;
} tls_row;

struct io_tls {
    tls_row *row; /* by domain, ascending; the default first */
    size_t n, size;
    SSL_CTX *bare; /* a client without a certificate */
};

/* ---- one context ---- */

/* Every chain is accepted and kept; judge.c judges it once the claimed domain is known. */
static int accept_chain(X509_STORE_CTX *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return 1;
}

static SSL_CTX *ctx_make(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (!ctx) return NULL;
    SSL_CTX_set_security_level(ctx, LEVEL);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* Or an end without close_notify would be an error, which costs the session and is answered by an alert. */
    SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(ctx, CERTS_MAX);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, accept_chain, NULL);
    bool ok = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
              SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
              SSL_CTX_set_cipher_list(ctx, SUITES_12) == 1 &&
              SSL_CTX_set_ciphersuites(ctx, SUITES_13) == 1 &&
              SSL_CTX_set1_groups_list(ctx, GROUPS) == 1;
    if (ok) return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

static bool ctx_show(SSL_CTX *ctx, const io_identity *id)
{
    return SSL_CTX_use_cert_and_key(ctx, id->leaf, id->key, id->chain, 1) == 1;
}

/* The list is length-prefixed names (RFC 7301 3.1); OpenSSL has checked its form. Under STARTTLS a list without ours does no
 * harm: the stream says what is spoken. Where TLS comes first only the list does: a client that wants something else was led
 * here by somebody (attack 58), and gets no_application_protocol. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *arg)
{
    const io_conn *c = SSL_get_app_data(ssl);
    (void)arg;
    for (unsigned at = 0; at < in_len; at += 1U + in[at]) {
        bool ours = in[at] == sizeof IO_ALPN - 1 && memcmp(in + at + 1, IO_ALPN, in[at]) == 0;
        if (!ours) continue;
        *out = in + at + 1;
        *out_len = in[at];
        return SSL_TLSEXT_ERR_OK;
    }
    return c && io_conn_direct(c) ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *server_make(const io_identity *id)
{
    SSL_CTX *ctx = ctx_make(TLS_server_method());
    if (!ctx) return NULL;
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    if (SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
        SSL_CTX_set_session_id_context(ctx, SESSION_ID, sizeof SESSION_ID - 1) == 1 &&
        ctx_show(ctx, id))
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

static SSL_CTX *client_make(const io_identity *id)
{
    SSL_CTX *ctx = ctx_make(TLS_client_method());
    if (ctx) io_conn_hears_sessions(ctx);
    if (!ctx || !id || ctx_show(ctx, id)) return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

bool io_identity_serves(const io_identity *id)
{
    SSL_CTX *ctx = server_make(id);
    SSL_CTX_free(ctx);
    return ctx != NULL;
}

/* ---- all of a face ---- */

io_tls *io_tls_new(void)
{
    io_tls *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->bare = client_make(NULL);
    if (t->bare) return t;
    free(t);
    return NULL;
}

static void row_fini(tls_row *row)
{
    SSL_CTX_free(row->server);
    SSL_CTX_free(row->client);
    io_identity_free(row->id);
}

void io_tls_free(io_tls *t)
{
    if (!t) return;
    for (size_t i = 0; i < t->n; i++)
        row_fini(&t->row[i]);
    free(t->row);
    SSL_CTX_free(t->bare);
    free(t);
}

/* Where the domain stands, or would. */
static size_t place_of(const io_tls *t, const s2s_domain *domain)
{
    size_t low = 0, high = t->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s2s_domain_order(&t->row[mid].domain, domain) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static const tls_row *row_of(const io_tls *t, const s2s_domain *domain)
{
    size_t at = place_of(t, domain);
    return at < t->n && s2s_domain_eq(&t->row[at].domain, domain) ? &t->row[at] : NULL;
}

/* A name we have gets its certificate, any other one the default's: the stream header says later which was meant. */
static int on_sni(SSL *ssl, int *alert, void *arg)
{
    const io_tls *t = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    s2s_domain domain;
    (void)alert;
    if (!name || s2s_domain_make_dns(s2s_span_of(name), &domain) != S2S_E_OK)
        return SSL_TLSEXT_ERR_NOACK;
    const tls_row *row = row_of(t, &domain);
    if (!row) return SSL_TLSEXT_ERR_NOACK;
    SSL_set_SSL_CTX(ssl, row->server);
    return SSL_TLSEXT_ERR_OK;
}

static s2s_err row_make(const io_tls *t, io_identity *id, tls_row *row)
{
    const tls_row *same = NULL; /* one pair of contexts for a certificate of many domains */
    for (size_t i = 0; i < t->n && !same; i++)
        if (t->row[i].id == id && t->row[i].domain.len > 0) same = &t->row[i];
    if (same && row->domain.len > 0) {
        row->server = same->server;
        row->client = same->client;
        SSL_CTX_up_ref(row->server);
        SSL_CTX_up_ref(row->client);
    } else {
        row->server = server_make(id);
        row->client = client_make(id);
    }
    row->id = id;
    id->refs++;
    ERR_clear_error();
    if (row->server && row->client) return S2S_E_OK;
    row_fini(row);
    return S2S_E_TLS_NO_CERTIFICATE;
}

static bool make_room(io_tls *t)
{
    if (t->n < t->size) return true;
    size_t size = t->size > 0 ? 2 * t->size : 4;
    tls_row *row = realloc(t->row, size * sizeof *row);
    if (!row) return false;
    t->row = row;
    t->size = size;
    return true;
}

s2s_err io_tls_add(io_tls *t, const s2s_domain *domain, io_identity *id)
{
    tls_row row = {.id = NULL};
    if (domain) row.domain = *domain;
    size_t at = place_of(t, &row.domain);
    bool known = at < t->n && s2s_domain_eq(&t->row[at].domain, &row.domain);
    if (!known && !make_room(t)) return S2S_E_NOMEM;
    s2s_err err = row_make(t, id, &row);
    if (err != S2S_E_OK) return err;
    if (row.domain.len == 0) {
        SSL_CTX_set_tlsext_servername_callback(row.server, on_sni);
        SSL_CTX_set_tlsext_servername_arg(row.server, t);
    }
    if (known) {
        row_fini(&t->row[at]);
    } else {
        memmove(&t->row[at + 1], &t->row[at], (t->n - at) * sizeof *t->row);
        t->n++;
    }
    t->row[at] = row;
    return S2S_E_OK;
}

bool io_tls_has(const io_tls *t, const s2s_domain *domain)
{
    return row_of(t, domain) != NULL;
}

static const tls_row *row_or_default(const io_tls *t, const s2s_domain *domain)
{
    static const s2s_domain none = {.len = 0};
    const tls_row *row = domain ? row_of(t, domain) : NULL;
    return row ? row : row_of(t, &none);
}

SSL_CTX *io_tls_server(const io_tls *t, const s2s_domain *domain)
{
    const tls_row *row = row_or_default(t, domain);
    return row ? row->server : NULL;
}

SSL_CTX *io_tls_client(const io_tls *t, const s2s_domain *domain)
{
    const tls_row *row = row_or_default(t, domain);
    return row ? row->client : t->bare;
}
