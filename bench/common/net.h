/* net.h - the sockets of played servers and of the yardstick: io/ made small.
 * For:    dialling and listening, TLS with a certificate of one's own, answers by a handler table.
 * Never:  knows what is said over a connection.                             */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <s2s/base.h>
#include <s2s/domain.h>

typedef struct net net;
typedef struct net_conn net_conn;
typedef struct net_cert net_cert; /* a certificate and key, lives as long as the net */

/* What a connection tells its user. `user` is what net_dial or net_adopt was given. */
typedef struct net_handler {
    void (*accepted)(void *owner, net_conn *c); /* owner: of the listener; must call net_adopt */
    void (*connected)(void *user);
    void (*bytes)(void *user, s2s_span plaintext);
    void (*tls)(void *user, const char *version);
    void (*lost)(void *user, s2s_err why); /* the connection is gone when this returns */
    s2s_span (*out)(void *user);
    void (*sent)(void *user, size_t n);
    /* When given, of who was accepted: TLS comes first, which net_tls finds there (XEP-0368). */
    void (*hello)(void *user);
} net_handler;

net *net_new(const net_handler *handler, const char *ca_file); /* NULL: nobody is believed */
void net_free(net *n);
net_cert *net_load(net *n, const char *cert_file, const char *key_file); /* NULL: said on stderr */
net_cert *net_load_pem(net *n, s2s_span cert, s2s_span key);             /* the same from memory */
bool net_listen(net *n, const char *addr, void *owner);                  /* "127.1.2.3:5269" */
net_conn *net_dial(net *n, const char *addr, void *user);                /* NULL: could not begin */
/* The same from an address of our own ("127.1.2.3:5269", whose port is not used). `connected` is not told: what is ready
 * to be sent goes when it can. */
net_conn *net_dial_from(net *n, const char *addr, const char *from, void *user);

/* The same with a handler of their own. */
typedef struct net_door_plan {
    const char *addr;
    const net_handler *handler; /* borrowed */
    void *owner;
    const net_cert *cert; /* TLS from the first octet with it; NULL: in clear */
    const net_cert *face; /* for handlers that begin TLS before they know who is meant */
} net_door_plan;

bool net_listen_as(net *n, const net_door_plan *plan);
net_conn *net_dial_as(net *n, const char *addr, const net_handler *handler, void *user);

void net_adopt(net_conn *c, void *user);
void net_tls(net_conn *c, bool client, const net_cert *cert, const char *sni);
void net_spare(net_conn *c);  /* before net_tls: its client is not asked for a certificate */
void net_direct(net_conn *c); /* before net_tls: it comes first; a client says so by ALPN */
const net_cert *net_face(const net_conn *c); /* of the door it came in by, or NULL */
bool net_resumed(const net_conn *c);         /* its handshake went on from a session */
void net_give_tickets(const net_cert *cert); /* who is shown it may resume */
bool net_judge(net_conn *c, const s2s_domain *domain);
void net_flush(net_conn *c);
void net_pause(net_conn *c, bool paused);
/* From now on records are gathered and sent together when out has nothing more. False: not in TLS, or no memory. */
bool net_cork(net_conn *c);
void net_close(net_conn *c);
void net_key(const char *secret, const s2s_domain *receiving, const s2s_domain *originating,
             s2s_span id, char out[65]);
void net_random_id(char out[33]);
uint64_t net_now_us(void);
uint64_t net_now_ns(void);
void net_turn(net *n, bool wait); /* one turn; `wait`: for at most 50 ms */
/* Sleeps until then (net_now_ns), or until something has come, which the next turn sees. Finer than a turn's own waiting. */
void net_doze(net *n, uint64_t until);
/* Runs the loop until `done` says so or `limit_ms` is over; false: the time was over. `done` is asked after every turn and at
 * least every 50 ms. */
bool net_run(net *n, bool (*done)(void *ctx), void *ctx, unsigned limit_ms);

#endif
