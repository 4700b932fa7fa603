/* conn_tls.c - a connection under TLS: OpenSSL on the descriptor. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "io/conn_priv.h"
#include "io/tls.h"

enum { RECORD = 16384 }; /* plaintext octets of one record (RFC 8446 5.1) */

const char CONN_TRUNCATED[] = "truncated";

uint64_t conn_tls_written(const io_conn *c)
{
    return BIO_number_written(c->bio);
}

/* Alerts tell more than OpenSSL's own errors: who gave up, and why. */
static void on_info(const SSL *ssl, int where, int value)
{
    io_conn *c = SSL_get_app_data(ssl);
    if (!(where & SSL_CB_ALERT)) return;
    if ((where & SSL_CB_READ) && (value & 0xff) == SSL_AD_CLOSE_NOTIFY) c->notified = true;
    if ((value >> 8) != SSL3_AL_FATAL) return;
    c->alert = value;
    c->alert_sent = (where & SSL_CB_WRITE) != 0;
}

static const char *error_text(unsigned long error)
{
    const char *text = ERR_reason_error_string(error);
    return text ? text : "TLS error";
}

/* What an OpenSSL call which did not succeed means; clears its error queue. */
static conn_step step_of(io_conn *c, int result, s2s_err *err, const char **text)
{
    int sys = errno, what = SSL_get_error(c->ssl, result);
    unsigned long error = ERR_peek_error();
    ERR_clear_error();
    if (what == SSL_ERROR_WANT_READ) return STEP_WANTS_READ;
    if (what == SSL_ERROR_WANT_WRITE) return STEP_WANTS_WRITE;
    bool ended = what == SSL_ERROR_ZERO_RETURN || (what == SSL_ERROR_SYSCALL && sys == 0);
    if (ended) {
        *err = S2S_E_TCP_EOF;
        if (!c->notified) *text = CONN_TRUNCATED;
    } else if (what == SSL_ERROR_SYSCALL) {
        *err = conn_err_of(sys, text);
    } else {
        *err = S2S_E_TLS_BROKEN;
        *text = error_text(error);
    }
    return STEP_FAILED;
}

/* An empty queue, the rule, is seen at a glance; clearing walks all its places. */
static void before_call(void)
{
    if (ERR_peek_error() != 0) ERR_clear_error();
    errno = 0;
}

/* ---- sessions ---- */

static void keep(const io_conn *c, SSL_SESSION *session)
{
    const io_session_new given = {c->ssl, session, c->full_at};
    if (c->place) (void)io_session_keep(c->place, &given, io_loop_now(c->loop));
}

/* In TLS 1.3 whenever the peer gives one. What TLS 1.2 tells of from inside the handshake is kept when that is done. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    const io_conn *c = SSL_get_app_data(ssl);
    if (c->state == CONN_TLS) keep(c, session);
    return 0; /* the reference is still OpenSSL's */
}

void io_conn_hears_sessions(SSL_CTX *client)
{
    SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client, on_session);
}

static void offer(io_conn *c)
{
    SSL_SESSION *session = io_session_take(c->place, io_loop_now(c->loop), &c->full_at);
    c->offered = session && SSL_set_session(c->ssl, session) == 1;
    SSL_SESSION_free(session);
}

/* ---- handshake ---- */

/* One name behind its length (RFC 7301 3.1). */
static const unsigned char PROTOCOLS[] = "\x0b" IO_ALPN;
_Static_assert(sizeof IO_ALPN - 1 == 0x0b, "its length");

static bool set_names(SSL *ssl, const io_conn_tls *tls)
{
    if (tls->role == S2S_INITIATING) {
        SSL_set_connect_state(ssl);
        if (tls->direct && SSL_set_alpn_protos(ssl, PROTOCOLS, sizeof PROTOCOLS - 1) != 0)
            return false;
        return !tls->sni || SSL_set_tlsext_host_name(ssl, tls->sni) == 1;
    }
    SSL_set_accept_state(ssl);
    SSL_set_verify(ssl, tls->ask_client_cert ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    return true;
}

static bool ssl_make(io_conn *c, const io_conn_tls *tls)
{
    SSL *ssl = SSL_new(tls->ctx);
    BIO *bio = BIO_new_socket(c->fd, BIO_NOCLOSE);
    if (!ssl || !bio || !set_names(ssl, tls)) {
        BIO_free(bio);
        SSL_free(ssl);
        ERR_clear_error();
        return false;
    }
    bool client =
        tls->role == S2S_INITIATING; /* a server's context says whether it gives tickets */
    if (client && !tls->place) SSL_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, c);
    SSL_set_info_callback(ssl, on_info);
    c->ssl = ssl;
    c->bio = bio;
    if (c->place) offer(c);
    return true;
}

void io_conn_start_tls(io_conn *c, const io_conn_tls *tls)
{
    S2S_ASSERT(c->state == CONN_CLEAR && !c->ssl);
    c->role = tls->role;
    c->place = tls->place;
    c->direct = tls->direct;
    c->fresh = false;
    if (!tls->ctx) {
        conn_fail_later(c, S2S_E_TLS_NO_CERTIFICATE, "there is no certificate to show");
        return;
    }
    if (!ssl_make(c, tls)) {
        conn_fail_later(c, S2S_E_NOMEM, "no TLS object could be made");
        return;
    }
    conn_enter(c, CONN_TLS_WAITS);
    io_conn_flush(c);
}

static void subject_of(X509 *cert, char *out, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    out[0] = '\0';
    if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0) {
        int n = BIO_read(bio, out, (int)size - 1);
        out[n > 0 ? n : 0] = '\0';
    }
    BIO_free(bio);
    for (char *p = out; *p != '\0'; p++)
        if (*p < ' ' || *p > '~') *p = '?';
}

static void ends_sooner(const X509 *cert, uint32_t *ends_in)
{
    int days, seconds;
    if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) != 1) return;
    int64_t left = (int64_t)days * 86400 + seconds;
    if (left <= 0 || left >= UINT32_MAX) return;
    if (*ends_in == 0 || (uint32_t)left < *ends_in) *ends_in = (uint32_t)left;
}

static uint32_t ends_in(const SSL *ssl, const X509 *leaf)
{
    uint32_t first = 0;
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    ends_sooner(leaf, &first);
    for (int i = 0; i < sk_X509_num(chain); i++) /* NULL has -1 */
        ends_sooner(sk_X509_value(chain, i), &first);
    return first;
}

static void describe(const SSL *ssl, io_tls_info *info)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);
    memset(info, 0, sizeof *info);
    (void)snprintf(info->version, sizeof info->version, "%s", SSL_get_version(ssl));
    (void)snprintf(info->cipher, sizeof info->cipher, "%s", SSL_get_cipher_name(ssl));
    info->has_cert = cert != NULL;
    info->resumed = SSL_session_reused(ssl) == 1;
    if (cert) subject_of(cert, info->subject, sizeof info->subject);
    if (cert) info->ends_in = ends_in(ssl, cert);
}

/* A server may ignore the list, but not choose what does not stand in it (RFC 7301 3.1). OpenSSL sees to it since 3.0.14. */
static bool speaks_ours(const io_conn *c)
{
    const unsigned char *name = NULL;
    unsigned len = 0;
    if (!c->direct || c->role != S2S_INITIATING) return true;
    SSL_get0_alpn_selected(c->ssl, &name, &len);
    return len == 0 || (len == sizeof IO_ALPN - 1 && memcmp(name, IO_ALPN, len) == 0);
}

static void shaken(io_conn *c)
{
    io_tls_info info;
    if (!speaks_ours(c)) {
        conn_lost(c, S2S_E_TLS_HANDSHAKE, "the peer chose a protocol we did not offer (ALPN)");
        return;
    }
    describe(c->ssl, &info);
    if (!info.resumed) c->full_at = io_loop_now(c->loop);
    if (SSL_version(c->ssl) < TLS1_3_VERSION) keep(c, SSL_get0_session(c->ssl));
    conn_enter(c, CONN_TLS);
    c->calls->tls(c->owner, &info);
    if (!c->calls) return;
    io_conn_flush(c);
    conn_read(c); /* what came behind the handshake lies in OpenSSL already */
}

/* Servers that give sessions and cannot take them break off when one is offered: those that ask for certificates and have no
 * session id context, for one. */
static void not_shaken(io_conn *c, const char *text)
{
    if (c->offered) io_session_bar(c->place, io_loop_now(c->loop));
    conn_lost(c, c->offered ? S2S_E_TLS_NOT_RESUMED : S2S_E_TLS_HANDSHAKE, text);
}

static bool may_shake(io_conn *c)
{
    return c->role == S2S_INITIATING || !SSL_in_before(c->ssl) || conn_hello_is_whole(c);
}

void conn_tls_shake(io_conn *c)
{
    s2s_err err = S2S_E_OK;
    const char *text = NULL;
    c->state = CONN_TLS_SHAKES;
    if (!may_shake(c)) {
        c->write_wants_read = true;
        conn_watch(c);
        return;
    }
    before_call();
    int result = SSL_do_handshake(c->ssl);
    conn_step step = result == 1 ? STEP_DONE : step_of(c, result, &err, &text);
    c->write_wants_read = step == STEP_WANTS_READ;
    c->write_blocked = step == STEP_WANTS_WRITE;
    if (step == STEP_DONE)
        shaken(c);
    else if (step == STEP_FAILED)
        not_shaken(c, text == CONN_TRUNCATED ? "the connection ended during the handshake" : text);
    conn_watch(c);
}

/* ---- data ---- */

conn_step conn_tls_get(io_conn *c, char *into, size_t size, size_t *n, s2s_err *err,
                       const char **text)
{
    before_call();
    int result = SSL_read_ex(c->ssl, into, size, n);
    return result == 1 ? STEP_DONE : step_of(c, result, err, text);
}

conn_step conn_tls_put(io_conn *c, s2s_span bytes, size_t *n)
{
    before_call();
    *n = 0;
    int result = SSL_write_ex(c->ssl, bytes.ptr, bytes.len < RECORD ? bytes.len : RECORD, n);
    return result == 1 ? STEP_DONE : step_of(c, result, &c->fault, &c->fault_text);
}

conn_step conn_tls_notify(io_conn *c)
{
    s2s_err err;
    const char *text;
    before_call();
    int result = SSL_shutdown(c->ssl);
    conn_step step = result >= 0 ? STEP_DONE : step_of(c, result, &err, &text);
    c->write_wants_read = false; /* theirs is not waited for */
    c->write_blocked = step == STEP_WANTS_WRITE;
    return step == STEP_WANTS_READ ? STEP_DONE : step;
}

/* OpenSSL takes a session for spoilt when its connection is freed without a close_notify. A fatal alert has spoilt it before;
 * everything else says nothing about it (RFC 5246 7.2.1). */
void conn_tls_drop(io_conn *c)
{
    if (c->ssl) SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(c->ssl);
    c->ssl = NULL;
    io_session_let_go(c->place);
    c->place = NULL;
}
