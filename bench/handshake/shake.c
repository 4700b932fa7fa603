/* shake.c - contexts and connections of either role; see shake.h. */
#include "shake.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256 };

/* ---- contexts ---- */

/* A ticket is used once: OpenSSL marks it as used up when the handshake with it is done. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    shake *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (s->n_sessions == SHAKE_SESSIONS) return 0;
    s->sessions[s->n_sessions++] = session;
    return 1; /* it is ours now */
}

static bool use_session(shake *s, SSL *ssl)
{
    if (s->n_sessions == 0) return true;
    SSL_SESSION *session = s->sessions[--s->n_sessions];
    int ok = SSL_set_session(ssl, session);
    SSL_SESSION_free(session);
    return ok == 1;
}

static bool set_terms(SSL_CTX *ctx, const shake_plan *p)
{
    SSL_CTX_set_security_level(ctx, 2);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1);
    bool client = p->name != NULL;
    SSL_CTX_set_verify(ctx, client || p->mutual ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (client && p->resume) {
        SSL_CTX_set_session_cache_mode(ctx,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_sess_set_new_cb(ctx, on_session);
    } else
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (!p->resume) SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    return SSL_CTX_set_num_tickets(ctx, p->resume ? 1 : 0) == 1 &&
           SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"handshake", 9) == 1 &&
           SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") == 1 &&
           SSL_CTX_set1_groups_list(ctx, "X25519:P-256") == 1;
}

static bool set_files(SSL_CTX *ctx, const shake_plan *p)
{
    bool shows = p->cert && (p->name == NULL || p->mutual);
    return SSL_CTX_load_verify_locations(ctx, p->ca, NULL) == 1 &&
           (!shows || (SSL_CTX_use_certificate_chain_file(ctx, p->cert) == 1 &&
                       SSL_CTX_use_PrivateKey_file(ctx, p->key, SSL_FILETYPE_PEM) == 1));
}

bool shake_init(shake *s, const shake_plan *plan)
{
    s->plan = plan;
    s->all.next = s->all.prev = &s->all;
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->ctx = SSL_CTX_new(plan->name ? TLS_client_method() : TLS_server_method());
    if (s->epoll >= 0 && s->ctx && set_terms(s->ctx, plan) && set_files(s->ctx, plan)) {
        SSL_CTX_set_app_data(s->ctx, s);
        return true;
    }
    ERR_print_errors_fp(stderr);
    return false;
}

void shake_fini(shake *s)
{
    shake_end_all(s);
    while (s->n_sessions > 0)
        SSL_SESSION_free(s->sessions[--s->n_sessions]);
    SSL_CTX_free(s->ctx);
    if (s->epoll >= 0) close(s->epoll);
}

/* ---- connections ---- */

static void end(shake *s, shake_conn *c)
{
    c->prev->next = c->next;
    c->next->prev = c->prev;
    if (c->ssl) /* keeps its session */
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(c->ssl);
    close(c->fd);
    free(c);
    s->gone++;
}

void shake_end_all(shake *s)
{
    while (s->all.next != &s->all)
        end(s, s->all.next);
}

static bool prepare(shake *s, shake_conn *c, bool client)
{
    c->ssl = SSL_new(s->ctx);
    if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1) return false;
    if (!client) {
        SSL_set_accept_state(c->ssl);
        return true;
    }
    SSL_set_connect_state(c->ssl);
    return use_session(s, c->ssl) && SSL_set_tlsext_host_name(c->ssl, s->plan->name) == 1 &&
           SSL_set1_host(c->ssl, s->plan->name) == 1;
}

bool shake_begin(shake *s, int fd, bool client)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
    shake_conn *c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        return false;
    }
    c->fd = fd;
    c->next = &s->all;
    c->prev = s->all.prev;
    c->prev->next = s->all.prev = c;
    event.data.ptr = c;
    if (prepare(s, c, client) && epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) == 0) return true;
    end(s, c);
    return false;
}

/* True: it goes on. */
static bool waits(const shake_conn *c, int result)
{
    int what = SSL_get_error(c->ssl, result);
    return what == SSL_ERROR_WANT_READ || what == SSL_ERROR_WANT_WRITE;
}

static void serve(shake *s, shake_conn *c)
{
    char bytes[4096];
    int result;
    ERR_clear_error();
    if (!c->up) {
        result = SSL_do_handshake(c->ssl);
        if (result != 1) {
            if (waits(c, result)) return;
            if (s->failed++ == 0) ERR_print_errors_fp(stderr);
            end(s, c);
            return;
        }
        c->up = true;
        s->up++;
        s->resumed += SSL_session_reused(c->ssl) != 0;
        if (!s->plan->resume && s->plan->name) return; /* nothing is said behind it */
    }
    do
        result = SSL_read(c->ssl, bytes, sizeof bytes);
    while (result > 0);
    if (!waits(c, result)) end(s, c);
}

static void accept_all(shake *s, int fd)
{
    for (;;) {
        int taken = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (taken < 0 && errno == EINTR) continue;
        if (taken < 0) return;
        if (!shake_begin(s, taken, false)) {
            s->failed++;
            return;
        }
    }
}

void shake_turn(shake *s, int accepting, int ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(s->epoll, events, EVENTS, ms);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == NULL)
            accept_all(s, accepting);
        else
            serve(s, events[i].data.ptr);
    }
}
