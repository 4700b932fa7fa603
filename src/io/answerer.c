/* answerer.c - see answerer.h: the UDP socket, who may ask how often, and the object's life. */
#include "io/answerer.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/answerer_priv.h"

void io_answerer_settings_init(io_answerer_settings *s)
{
    *s = (io_answerer_settings){
        .says = {.ttl = 60},
        .rate = 10000,
        .refusals = 10,
        .relayed = 256,
        .connections = 32,
        .relay_ms = 5000,
        .tcp_ms = 10000,
    };
}

/* ---- who may ask ---- */

bool answerer_is_client(const io_answerer *a, const io_addr *from)
{
    for (size_t i = 0; i < a->settings->n_clients; i++)
        if (io_cidr_has(&a->settings->clients[i], from)) return true;
    return false;
}

/* Fills up at `rate` a second, holds at most one second's worth. */
static bool bucket_take(answerer_bucket *b, uint64_t now, unsigned rate)
{
    uint64_t most = (uint64_t)rate * 1000;
    uint64_t gone = now - b->at;
    b->level = gone >= 1000 || b->level + gone * rate > most ? most : b->level + gone * rate;
    b->at = now;
    if (b->level < 1000) return false;
    b->level -= 1000;
    return true;
}

/* The host's bucket, or the one that was idle longest. */
static answerer_bucket *bucket_of(io_answerer *a, const io_addr *from, uint64_t now)
{
    answerer_bucket *oldest = &a->buckets[0];
    for (size_t i = 0; i < ANSWERER_BUCKETS; i++) {
        answerer_bucket *b = &a->buckets[i];
        if (io_addr_same_host(&b->host, from)) return b;
        if (b->at < oldest->at) oldest = b;
    }
    *oldest = (answerer_bucket){
        .host = *from,
        .level = (uint64_t)a->settings->rate * 1000,
        .at = now,
    };
    return oldest;
}

bool answerer_may_ask(io_answerer *a, const io_addr *from)
{
    uint64_t now = uv_now(a->loop);
    a->counts.questions++;
    if (bucket_take(bucket_of(a, from, now), now, a->settings->rate)) return true;
    a->counts.too_fast++;
    return false;
}

/* ---- UDP ---- */

void answerer_send(io_answerer *a, const io_addr *to, const uint8_t *bytes, size_t len)
{
    struct sockaddr_storage ss;
    socklen_t ss_len = io_addr_to_sockaddr(to, a->where.family == 6, &ss);
    /* A full socket loses the answer, as the network may: the client asks again. */
    (void)!sendto(a->udp, bytes, len, MSG_NOSIGNAL, (const struct sockaddr *)&ss, ss_len);
}

static void refuse(io_answerer *a, s2s_span query, const io_addr *from)
{
    uint8_t out[IO_DNS_FAIL_MAX];
    a->counts.strangers++;
    if (!bucket_take(&a->strangers, uv_now(a->loop), a->settings->refusals)) return;
    size_t len = io_dns_fail(query, IO_RCODE_REFUSED, out);
    if (len == 0) return;
    a->counts.refused++;
    answerer_send(a, from, out, len);
}

static void on_datagram(io_answerer *a, s2s_span query, const io_addr *from)
{
    size_t len = 0;
    if (!answerer_is_client(a, from)) {
        refuse(a, query, from);
        return;
    }
    if (!answerer_may_ask(a, from)) return;
    switch (io_replier_answer(a->replier, query, false, a->reply, &len)) {
    case IO_REPLY_SEND:
        a->counts.answered++;
        answerer_send(a, from, a->reply, len);
        return;
    case IO_REPLY_FORWARD:
        if (answerer_relay_ask(a, query, from, NULL)) return;
        len = io_dns_fail(query, IO_RCODE_SERVFAIL, a->reply);
        answerer_send(a, from, a->reply, len);
        return;
    case IO_REPLY_DROP: a->counts.malformed++; return;
    }
}

static void on_udp(uv_poll_t *poll, int status, int events)
{
    io_answerer *a = poll->data;
    (void)status;
    (void)events;
    /* What is left is read in the next turn: others of the loop want theirs. */
    for (int i = 0; i < ANSWERER_DATAGRAMS; i++) {
        struct sockaddr_storage ss;
        socklen_t ss_len = sizeof ss;
        io_addr from;
        ssize_t n =
            recvfrom(a->udp, a->packet, sizeof a->packet, 0, (struct sockaddr *)&ss, &ss_len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            return; /* EAGAIN; or an ICMP error of an earlier answer, which the next turn reads past */
        if (io_addr_of_sockaddr((const struct sockaddr *)&ss, &from) != S2S_E_OK || from.port == 0)
            continue;
        on_datagram(a, (s2s_span){(const char *)a->packet, (size_t)n}, &from);
    }
}

static bool open_udp(io_answerer *a)
{
    struct sockaddr_storage ss;
    const io_addr *at = &a->settings->listen;
    int off = 0;
    socklen_t len = io_addr_to_sockaddr(at, false, &ss);
    a->udp = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (a->udp < 0) return false;
    if (at->family == 6) setsockopt(a->udp, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(a->udp, (const struct sockaddr *)&ss, len) != 0) return false;
    len = sizeof ss;
    if (getsockname(a->udp, (struct sockaddr *)&ss, &len) != 0) return false;
    if (io_addr_of_sockaddr((const struct sockaddr *)&ss, &a->where) != S2S_E_OK) return false;
    return answerer_watch(a, &a->udp_poll, a->udp, on_udp);
}

/* ---- deadlines ---- */

static void on_sweep(uv_timer_t *timer)
{
    io_answerer *a = timer->data;
    uint64_t now = uv_now(a->loop);
    answerer_relay_expire(a, now);
    answerer_tcp_expire(a, now);
    if (a->counts.relaying == 0 && a->counts.connected == 0 && a->accepting) uv_timer_stop(timer);
}

void answerer_arm(io_answerer *a)
{
    if (!uv_is_active((const uv_handle_t *)&a->sweep))
        uv_timer_start(&a->sweep, on_sweep, ANSWERER_SWEEP_MS, ANSWERER_SWEEP_MS);
}

/* ---- handles and life ---- */

static void on_closed(uv_handle_t *handle)
{
    io_answerer *a = handle->data;
    S2S_ASSERT(a->handles > 0);
    if (--a->handles > 0 || !a->freed) return;
    io_replier_free(a->replier);
    free(a->relays);
    free(a);
}

bool answerer_watch(io_answerer *a, uv_poll_t *poll, int fd, uv_poll_cb cb)
{
    if (uv_poll_init(a->loop, poll, fd) != 0) return false;
    poll->data = a;
    a->handles++;
    return uv_poll_start(poll, UV_READABLE, cb) == 0;
}

void answerer_unwatch(io_answerer *a, uv_poll_t *poll, int *fd)
{
    if (poll->data == a) uv_close((uv_handle_t *)poll, on_closed);
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static const char *open_all(io_answerer *a)
{
    if (!open_udp(a)) return "the address cannot be bound by UDP";
    /* Both on the same port, also when the system chose it. */
    if (!answerer_tcp_open(a, &a->where)) return "the address cannot be bound by TCP";
    if (io_addr_eq(&a->settings->upstream, &a->where)) return "the resolver is this very answerer";
    if (a->settings->upstream.family != 0 && !answerer_relay_open(a))
        return "there is no way to the resolver's address";
    return NULL;
}

io_answerer *io_answerer_new(uv_loop_t *loop, const io_answerer_settings *settings,
                             const char **reason)
{
    io_replier_settings says = settings->says;
    io_answerer *a = calloc(1, sizeof *a);
    *reason = "out of memory";
    if (a == NULL) return NULL;
    a->loop = loop;
    a->settings = settings;
    a->udp = a->tcp = a->upstream = -1;
    says.forwards = settings->upstream.family != 0;
    a->replier = io_replier_new(&says, reason);
    a->relays = calloc(settings->relayed + 1, sizeof *a->relays);
    if (a->replier == NULL || a->relays == NULL) {
        io_replier_free(a->replier);
        free(a->relays);
        free(a);
        return NULL;
    }
    uv_timer_init(loop, &a->sweep);
    a->sweep.data = a;
    a->handles = 1;
    errno = 0;
    *reason = open_all(a);
    if (*reason == NULL) return a;
    int failed = errno;
    io_answerer_free(a);
    errno = failed;
    return NULL;
}

io_addr io_answerer_where(const io_answerer *a)
{
    return a->where;
}

void io_answerer_count(const io_answerer *a, io_answerer_counts *out)
{
    *out = a->counts;
}

void io_answerer_free(io_answerer *a)
{
    if (a == NULL) return;
    a->freed = true;
    answerer_tcp_close_all(a);
    answerer_unwatch(a, &a->udp_poll, &a->udp);
    answerer_unwatch(a, &a->tcp_poll, &a->tcp);
    answerer_unwatch(a, &a->upstream_poll, &a->upstream);
    uv_close((uv_handle_t *)&a->sweep, on_closed);
}
