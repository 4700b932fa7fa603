/* net.c - see net.h. */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cork.h"
#include "io/conn.h"
#include "io/judge.h"
#include "io/key.h"
#include "io/listener.h"
#include "io/tls.h"

enum { TURN_MS = 50, CORK_MS = 1 };

struct net_cert {
    net_cert *next;
    io_tls *tls;
};

typedef struct net_door {
    struct net_door *next;
    net *n;
    net_door_plan plan;
    io_listener *listener;
} net_door;

struct net {
    io_loop *loop;
    const net_handler *handler;
    X509_STORE *store;
    io_tls *bare; /* a client without a certificate */
    net_cert *certs;
    net_door *doors;
    io_timer turn; /* so that a turn ends though nothing happens */
};

struct net_conn {
    net *n;
    const net_handler *handler;
    io_conn *io;
    void *user;
    const net_cert *face;
    bool spared, direct;
    BIO *cork;      /* owned by the connection's SSL */
    io_timer retry; /* the socket did not take what the cork holds */
};

/* ---- what io tells ---- */

static void on_connected(void *owner, const io_addr *ours)
{
    net_conn *c = owner;
    (void)ours;
    c->handler->connected(c->user);
}

static void on_bytes(void *owner, s2s_span plaintext)
{
    net_conn *c = owner;
    c->handler->bytes(c->user, plaintext);
}

static void on_tls(void *owner, const io_tls_info *info)
{
    net_conn *c = owner;
    c->handler->tls(c->user, info->version);
}

static void on_lost(void *owner, s2s_err why, s2s_span detail)
{
    net_conn *c = owner;
    (void)detail;
    io_timer_clear(c->n->loop, &c->retry);
    c->handler->lost(c->user, why);
    free(c);
}

static void flush_cork(void *ctx)
{
    net_conn *c = ctx;
    if (!cork_flush(c->cork))
        io_timer_set(c->n->loop, &c->retry, io_loop_now(c->n->loop) + CORK_MS, flush_cork, c);
}

static s2s_span on_out(void *owner)
{
    net_conn *c = owner;
    s2s_span out = c->handler->out(c->user);
    if (out.len == 0 && c->cork) flush_cork(c);
    return out;
}

static void on_sent(void *owner, size_t n)
{
    net_conn *c = owner;
    c->handler->sent(c->user, n);
}

static void on_hello(void *owner)
{
    net_conn *c = owner;
    if (c->handler->hello) c->handler->hello(c->user);
}

static const io_conn_calls calls = {.connected = on_connected,
                                    .bytes = on_bytes,
                                    .tls = on_tls,
                                    .lost = on_lost,
                                    .out = on_out,
                                    .sent = on_sent,
                                    .hello = on_hello};

static void on_accepted(void *ctx, int fd, const io_addr *peer)
{
    net_door *door = ctx;
    net_conn *c = calloc(1, sizeof *c);
    S2S_ASSERT(c);
    c->n = door->n;
    c->handler = door->plan.handler;
    c->face = door->plan.face;
    c->handler->accepted(door->plan.owner, c); /* adopts c */
    c->io = io_conn_adopt(door->n->loop, fd, peer, &calls, c);
    S2S_ASSERT(c->io);
    if (door->plan.cert) net_tls(c, false, door->plan.cert, NULL);
}

/* ---- the public part ---- */

net *net_new(const net_handler *handler, const char *ca_file)
{
    char why[128];
    io_loop_settings settings;
    net *n = calloc(1, sizeof *n);
    S2S_ASSERT(n);
    io_loop_settings_init(&settings);
    (void)io_descriptors_raise();
    n->handler = handler;
    n->loop = io_loop_new(&settings);
    n->bare = io_tls_new();
    n->store = ca_file ? io_store_load(ca_file, NULL, why) : X509_STORE_new();
    if (!n->store) fprintf(stderr, "%s: %s\n", ca_file, why);
    if (n->loop && n->bare && n->store) return n;
    net_free(n);
    return NULL;
}

void net_free(net *n)
{
    while (n->doors) {
        net_door *door = n->doors;
        n->doors = door->next;
        io_listener_close(door->listener);
        free(door);
    }
    if (n->loop) {
        io_timer_clear(n->loop, &n->turn);
        io_loop_free(n->loop);
    }
    while (n->certs) {
        net_cert *c = n->certs;
        n->certs = c->next;
        io_tls_free(c->tls);
        free(c);
    }
    io_tls_free(n->bare);
    X509_STORE_free(n->store);
    free(n);
}

/* Takes id. `what` is said on stderr when it cannot be used. */
static net_cert *cert_add(net *n, io_identity *id, io_cert_fault fault, const char *what)
{
    net_cert *c = calloc(1, sizeof *c);
    S2S_ASSERT(c);
    c->tls = io_tls_new();
    if (!id || !c->tls || io_tls_add(c->tls, NULL, id) != S2S_E_OK) {
        fprintf(stderr, "%s: %s\n", what, io_cert_fault_text(fault));
        io_identity_free(id);
        io_tls_free(c->tls);
        free(c);
        return NULL;
    }
    io_identity_free(id);
    c->next = n->certs;
    n->certs = c;
    return c;
}

net_cert *net_load(net *n, const char *cert_file, const char *key_file)
{
    io_cert_fault fault;
    io_identity *id = io_identity_load(cert_file, key_file, &fault);
    return cert_add(n, id, fault, cert_file);
}

net_cert *net_load_pem(net *n, s2s_span cert, s2s_span key)
{
    io_cert_fault fault;
    io_identity *id = io_identity_of_pem(cert, key, &fault);
    return cert_add(n, id, fault, "a certificate made in memory");
}

bool net_listen(net *n, const char *addr, void *owner)
{
    net_door_plan plan = {.addr = addr, .handler = n->handler, .owner = owner};
    return net_listen_as(n, &plan);
}

bool net_listen_as(net *n, const net_door_plan *plan)
{
    int err = 0;
    io_listen how = {.accepted = on_accepted};
    if (io_addr_parse(s2s_span_of(plan->addr), &how.addr) != S2S_E_OK) return false;
    net_door *door = calloc(1, sizeof *door);
    S2S_ASSERT(door);
    door->n = n;
    door->plan = *plan;
    how.ctx = door;
    door->listener = io_listener_new(n->loop, &how, &err);
    if (!door->listener) {
        fprintf(stderr, "%s: %s\n", plan->addr, uv_strerror(err));
        free(door);
        return false;
    }
    door->next = n->doors;
    n->doors = door;
    return true;
}

net_conn *net_dial(net *n, const char *addr, void *user)
{
    return net_dial_as(n, addr, n->handler, user);
}

net_conn *net_dial_as(net *n, const char *addr, const net_handler *handler, void *user)
{
    io_addr to;
    s2s_err err;
    net_conn *c = calloc(1, sizeof *c);
    S2S_ASSERT(c);
    c->n = n;
    c->handler = handler;
    c->user = user;
    if (io_addr_parse(s2s_span_of(addr), &to) == S2S_E_OK)
        c->io = io_conn_dial(n->loop, &to, &calls, c, &err);
    if (c->io) return c;
    free(c);
    return NULL;
}

static bool ip4(const char *addr, struct sockaddr_in *out)
{
    char host[64];
    const char *colon = strrchr(addr, ':');
    if (!colon || (size_t)(colon - addr) >= sizeof host) return false;
    memcpy(host, addr, (size_t)(colon - addr));
    host[colon - addr] = '\0';
    unsigned long port = strtoul(colon + 1, NULL, 10);
    *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return port <= 65535 && inet_pton(AF_INET, host, &out->sin_addr) == 1;
}

/* The port is chosen when it connects: many addresses, or ports would run out. */
static int socket_from(const char *addr, const char *from)
{
    const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, one = 1;
    struct sockaddr_in to, own;
    if (!ip4(addr, &to) || !ip4(from, &own)) return -1;
    own.sin_port = 0;
    int fd = socket(AF_INET, type, 0);
    if (fd < 0) return -1;
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (const struct sockaddr *)&own, sizeof own) == 0 &&
        (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS))
        return fd;
    close(fd);
    return -1;
}

net_conn *net_dial_from(net *n, const char *addr, const char *from, void *user)
{
    io_addr to;
    int fd = io_addr_parse(s2s_span_of(addr), &to) == S2S_E_OK ? socket_from(addr, from) : -1;
    if (fd < 0) return NULL;
    net_conn *c = calloc(1, sizeof *c);
    S2S_ASSERT(c);
    c->n = n;
    c->handler = n->handler;
    c->user = user;
    c->io = io_conn_adopt(n->loop, fd, &to, &calls, c);
    S2S_ASSERT(c->io);
    io_conn_flush(c->io);
    return c;
}

void net_adopt(net_conn *c, void *user)
{
    c->user = user;
}

void net_tls(net_conn *c, bool client, const net_cert *cert, const char *sni)
{
    const io_tls *tls = cert ? cert->tls : c->n->bare;
    io_conn_tls how = {.role = client ? S2S_INITIATING : S2S_RECEIVING,
                       .ctx = client ? io_tls_client(tls, NULL) : io_tls_server(tls, NULL),
                       .sni = sni,
                       .ask_client_cert = !client && !c->spared,
                       .direct = c->direct};
    S2S_ASSERT(how.ctx);
    io_conn_start_tls(c->io, &how);
}

void net_spare(net_conn *c)
{
    c->spared = true;
}

void net_direct(net_conn *c)
{
    c->direct = true;
}

const net_cert *net_face(const net_conn *c)
{
    return c->face;
}

bool net_resumed(const net_conn *c)
{
    SSL *ssl = c->io ? io_conn_ssl(c->io) : NULL;
    return ssl && SSL_session_reused(ssl);
}

void net_give_tickets(const net_cert *cert)
{
    SSL_CTX *ctx = io_tls_server(cert->tls, NULL);
    SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET);
    int ok = SSL_CTX_set_num_tickets(ctx, 1);
    S2S_ASSERT(ok == 1);
}

bool net_judge(net_conn *c, const s2s_domain *domain)
{
    SSL *ssl = io_conn_ssl(c->io);
    return ssl && io_judge_ssl(ssl, c->n->store, domain, NULL) == S2S_E_OK;
}

void net_flush(net_conn *c)
{
    if (c->io) io_conn_flush(c->io);
}

void net_pause(net_conn *c, bool paused)
{
    if (c->io) io_conn_pause(c->io, paused);
}

bool net_cork(net_conn *c)
{
    SSL *ssl = c->io ? io_conn_ssl(c->io) : NULL;
    if (!ssl || c->cork) return false;
    c->cork = cork_new(SSL_get_fd(ssl));
    if (!c->cork) return false;
    SSL_set0_wbio(ssl, c->cork);
    return true;
}

void net_close(net_conn *c)
{
    if (c->cork) cork_through(c->cork);
    io_timer_clear(c->n->loop, &c->retry);
    io_conn_close(c->io, IO_CLOSE_GRACEFUL, c->handler->out(c->user));
    free(c);
}

void net_key(const char *secret, const s2s_domain *receiving, const s2s_domain *originating,
             s2s_span id, char out[65])
{
    io_key key;
    io_key_init(&key, s2s_span_of(secret));
    io_key_dialback(&key, receiving, originating, id, out);
}

void net_random_id(char out[33])
{
    unsigned char bytes[16];
    io_random(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", (unsigned)bytes[i]);
}

uint64_t net_now_us(void)
{
    return uv_hrtime() / 1000;
}

static void on_turn(void *ctx)
{
    net *n = ctx;
    io_timer_set(n->loop, &n->turn, io_loop_now(n->loop) + TURN_MS, on_turn, n);
}

uint64_t net_now_ns(void)
{
    return uv_hrtime();
}

void net_turn(net *n, bool wait)
{
    if (wait && !n->turn.armed) on_turn(n);
    io_loop_turn(n->loop, wait);
}

void net_doze(net *n, uint64_t until)
{
    uint64_t now = net_now_ns();
    if (now >= until) return;
    struct pollfd loop = {.fd = uv_backend_fd(io_loop_uv(n->loop)), .events = POLLIN};
    struct timespec left = {.tv_sec = (time_t)((until - now) / 1000000000),
                            .tv_nsec = (long)((until - now) % 1000000000)};
    (void)ppoll(&loop, 1, &left, NULL);
}

bool net_run(net *n, bool (*done)(void *ctx), void *ctx, unsigned limit_ms)
{
    uint64_t until = net_now_us() + 1000ULL * limit_ms;
    on_turn(n);
    while (!done(ctx)) {
        if (net_now_us() > until) return false;
        io_loop_turn(n->loop, true);
    }
    return true;
}
