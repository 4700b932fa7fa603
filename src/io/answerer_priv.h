/* answerer_priv.h - what the files of the answerer share.
 * For:    answerer.c (UDP, clients, life), answerer_relay.c (upstream), answerer_tcp.c.
 * Never:  included by anybody else.
 * Owner:  answerer.c. */
#ifndef IO_ANSWERER_PRIV_H
#define IO_ANSWERER_PRIV_H

#include "io/answerer.h"

typedef struct answerer_conn answerer_conn; /* one TCP client */

/* A question sent on, until its answer or its deadline. */
typedef struct answerer_relay {
    bool used;
    uint16_t id;                       /* ours, toward the upstream; unpredictable */
    io_addr client;                    /* UDP */
    answerer_conn *conn;               /* TCP; NULL: UDP */
    uint64_t ends;                     /* ms */
    size_t len;                        /* of question */
    uint8_t question[IO_DNS_FAIL_MAX]; /* header (with the client's id) and question */
} answerer_relay;

/* A client's allowance: thousandths of a question. */
typedef struct answerer_bucket {
    io_addr host;
    uint64_t level;
    uint64_t at; /* ms */
} answerer_bucket;

enum { ANSWERER_BUCKETS = 64, ANSWERER_DATAGRAMS = 64, ANSWERER_SWEEP_MS = 100 };

struct io_answerer {
    uv_loop_t *loop;
    const io_answerer_settings *settings;
    io_replier *replier;
    io_addr where;
    int udp, tcp, upstream; /* descriptors, -1: none */
    uv_poll_t udp_poll, tcp_poll, upstream_poll;
    uv_timer_t sweep; /* runs while anything has a deadline */
    unsigned handles; /* open: the memory stays until all are closed */
    bool freed;
    bool accepting;
    answerer_bucket buckets[ANSWERER_BUCKETS];
    answerer_bucket strangers;
    answerer_relay *relays; /* settings->relayed */
    answerer_conn *conns;
    io_answerer_counts counts;
    uint8_t packet[65536]; /* what was read last */
    uint8_t reply[IO_DNS_REPLY_MAX];
};

/* answerer.c */
bool answerer_is_client(const io_answerer *a, const io_addr *from);
bool answerer_may_ask(io_answerer *a,
                      const io_addr *from); /* takes one from the client's allowance */
void answerer_send(io_answerer *a, const io_addr *to, const uint8_t *bytes, size_t len); /* UDP */
void answerer_arm(io_answerer *a); /* something has a deadline */
/* Watches fd; false: the loop refused. Counts the handle. */
bool answerer_watch(io_answerer *a, uv_poll_t *poll, int fd, uv_poll_cb cb);
void answerer_unwatch(io_answerer *a, uv_poll_t *poll, int *fd);

/* answerer_relay.c */
bool answerer_relay_open(io_answerer *a); /* the upstream socket */
/* Sends the query on for a UDP client or a connection. False: at once SERVFAIL. */
bool answerer_relay_ask(io_answerer *a, s2s_span query, const io_addr *client, answerer_conn *conn);
void answerer_relay_expire(io_answerer *a, uint64_t now);
void answerer_relay_forget(io_answerer *a, const answerer_conn *conn);

/* answerer_tcp.c */
bool answerer_tcp_open(io_answerer *a, io_addr *where);
void answerer_tcp_say(io_answerer *a, answerer_conn *c, const uint8_t *bytes,
                      size_t len); /* a relayed answer */
void answerer_tcp_expire(io_answerer *a, uint64_t now);
void answerer_tcp_close_all(io_answerer *a);

#endif
