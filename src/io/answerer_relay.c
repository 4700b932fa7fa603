/* answerer_relay.c - other people's questions, sent on to the configured resolver by UDP.
 * An answer is believed when it comes from the resolver's address (the socket is connected), bears the id we drew for it and
 * repeats the question; the client's own id never leaves. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "io/answerer_priv.h"

static uint16_t id_of(const uint8_t *packet)
{
    return (uint16_t)(packet[0] << 8 | packet[1]);
}

static void put_id(uint8_t *packet, uint16_t id)
{
    packet[0] = (uint8_t)(id >> 8);
    packet[1] = (uint8_t)id;
}

static answerer_relay *find(io_answerer *a, uint16_t id)
{
    for (unsigned i = 0; i < a->settings->relayed; i++)
        if (a->relays[i].used && a->relays[i].id == id) return &a->relays[i];
    return NULL;
}

static answerer_relay *free_place(io_answerer *a)
{
    for (unsigned i = 0; i < a->settings->relayed; i++)
        if (!a->relays[i].used) return &a->relays[i];
    return NULL;
}

static bool draw_id(io_answerer *a, uint16_t *id)
{
    for (int i = 0; i < 16; i++) {
        if (getrandom(id, sizeof *id, 0) != (ssize_t)sizeof *id) return false;
        if (find(a, *id) == NULL) return true;
    }
    return false;
}

static void finish(io_answerer *a, answerer_relay *relay)
{
    relay->used = false;
    relay->conn = NULL;
    a->counts.relaying--;
}

/* Gives the client an answer under its own id. */
static void say(io_answerer *a, answerer_relay *relay, const uint8_t *bytes, size_t len)
{
    answerer_conn *conn = relay->conn;
    io_addr client = relay->client;
    finish(a, relay);
    if (conn != NULL)
        answerer_tcp_say(a, conn, bytes, len);
    else
        answerer_send(a, &client, bytes, len);
}

static void say_servfail(io_answerer *a, answerer_relay *relay)
{
    uint8_t out[IO_DNS_FAIL_MAX];
    s2s_span query = {(const char *)relay->question, relay->len};
    size_t len = io_dns_fail(query, IO_RCODE_SERVFAIL, out);
    say(a, relay, out, len);
}

bool answerer_relay_ask(io_answerer *a, s2s_span query, const io_addr *client, answerer_conn *conn)
{
    uint8_t sent[IO_DNS_QUERY_MAX];
    uint16_t id;
    answerer_relay *relay = free_place(a);
    size_t len = io_dns_question_end(query);
    S2S_ASSERT(len > 0 && query.len <= sizeof sent);
    if (relay == NULL || !draw_id(a, &id)) {
        a->counts.too_many++;
        return false;
    }
    memcpy(sent, query.ptr, query.len);
    put_id(sent, id);
    /* An error left by an earlier datagram (the resolver's port was closed) is reported once, instead of sending. */
    ssize_t n = send(a->upstream, sent, query.len, MSG_NOSIGNAL);
    if (n < 0 && errno == ECONNREFUSED) n = send(a->upstream, sent, query.len, MSG_NOSIGNAL);
    if (n < 0) return false;

    *relay = (answerer_relay){
        .used = true,
        .id = id,
        .client = *client,
        .conn = conn,
        .ends = uv_now(a->loop) + a->settings->relay_ms,
        .len = len,
    };
    memcpy(relay->question, query.ptr, len);
    a->counts.relayed++;
    a->counts.relaying++;
    answerer_arm(a);
    return true;
}

/* The same name (in whatever case: some resolvers do not repeat it), type and class. */
static bool same_question(const answerer_relay *relay, const uint8_t *packet, size_t len)
{
    if (len < relay->len || packet[4] != 0 || packet[5] != 1) return false;
    size_t name = relay->len - 12 - 4;
    for (size_t i = 0; i < name; i++) {
        uint8_t x = relay->question[12 + i], y = packet[12 + i];
        if (x >= 'A' && x <= 'Z') x = (uint8_t)(x + 32);
        if (y >= 'A' && y <= 'Z') y = (uint8_t)(y + 32);
        if (x != y) return false;
    }
    return memcmp(relay->question + 12 + name, packet + 12 + name, 4) == 0;
}

static void on_answer(io_answerer *a, uint8_t *packet, size_t len)
{
    answerer_relay *relay = len >= 12 ? find(a, id_of(packet)) : NULL;
    if (relay == NULL || (packet[2] & 0x80) == 0 || !same_question(relay, packet, len)) {
        a->counts.forged++;
        return;
    }
    a->counts.returned++;
    bool cut = (packet[2] & 0x02) != 0;
    if (cut && relay->conn != NULL) { /* it asks by TCP because it knows */
        say_servfail(a, relay);
        return;
    }
    put_id(packet, id_of(relay->question));
    say(a, relay, packet, len);
}

static void on_upstream(uv_poll_t *poll, int status, int events)
{
    io_answerer *a = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < ANSWERER_DATAGRAMS; i++) {
        ssize_t n = recv(a->upstream, a->packet, sizeof a->packet, 0);
        if (n < 0 && (errno == EINTR || errno == ECONNREFUSED)) continue;
        if (n < 0) return;
        on_answer(a, a->packet, (size_t)n);
    }
}

bool answerer_relay_open(io_answerer *a)
{
    struct sockaddr_storage ss;
    socklen_t len = io_addr_to_sockaddr(&a->settings->upstream, false, &ss);
    a->upstream = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (a->upstream < 0) return false;
    /* Connected: the kernel passes on nothing that comes from elsewhere. */
    if (connect(a->upstream, (const struct sockaddr *)&ss, len) != 0) return false;
    return answerer_watch(a, &a->upstream_poll, a->upstream, on_upstream);
}

void answerer_relay_expire(io_answerer *a, uint64_t now)
{
    for (unsigned i = 0; i < a->settings->relayed; i++) {
        if (!a->relays[i].used || a->relays[i].ends > now) continue;
        a->counts.timeouts++;
        say_servfail(a, &a->relays[i]);
    }
}

void answerer_relay_forget(io_answerer *a, const answerer_conn *conn)
{
    for (unsigned i = 0; i < a->settings->relayed; i++)
        if (a->relays[i].used && a->relays[i].conn == conn) finish(a, &a->relays[i]);
}
