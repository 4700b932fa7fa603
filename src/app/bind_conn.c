/* bind_conn.c - connections: accepted, dialled, their bytes, TLS and ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/arena.h"
#include "app/bind.h"
#include "io/dane.h"

/* fed's handle of a connection. Dies in `lost`, or in close. */
typedef struct handle {
    app_bind *bind;
    io_conn *io;
    fed_conn *fed;
    bool settled;
} handle;

static void handle_free(handle *h)
{
    h->bind->conns--;
    free(h);
}

/* ---- what a connection tells ---- */

static void connected(void *owner, const io_addr *ours)
{
    const handle *h = owner;
    const fed_addr a = app_addr_to_fed(ours);
    fed_on_connected(h->bind->fed, h->fed, &a);
}

static void bytes(void *owner, s2s_span plaintext)
{
    handle *h = owner;
    if (!h->settled && fed_conn_carries(h->fed)) {
        h->settled = true;
        io_conn_rank(h->io, IO_RANK_SETTLED);
    }
    fed_on_bytes(h->bind->fed, h->fed, plaintext);
}

static void tls(void *owner, const io_tls_info *info)
{
    const handle *h = owner;
    fed_tls_info out = {
        .has_cert = info->has_cert, .resumed = info->resumed, .ends_in = info->ends_in};
    snprintf(out.version, sizeof out.version, "%s", info->version);
    snprintf(out.cipher, sizeof out.cipher, "%s", info->cipher);
    snprintf(out.subject, sizeof out.subject, "%s", info->subject);
    fed_on_tls(h->bind->fed, h->fed, &out);
}

static void lost(void *owner, s2s_err why, s2s_span detail)
{
    handle *h = owner;
    fed_on_lost(h->bind->fed, h->fed, why, detail);
    handle_free(h);
}

static s2s_span out(void *owner)
{
    const handle *h = owner;
    return fed_conn_out(h->fed);
}

static void sent(void *owner, size_t n)
{
    const handle *h = owner;
    fed_conn_sent(h->bind->fed, h->fed, n);
}

static void hello(void *owner)
{
    const handle *h = owner;
    fed_on_hello(h->bind->fed, h->fed);
}

static const io_conn_calls CALLS = {
    .connected = connected,
    .bytes = bytes,
    .tls = tls,
    .lost = lost,
    .out = out,
    .sent = sent,
    .hello = hello,
};

/* ---- beginnings ---- */

/* Until it carries stanzas. Our own servers are few, and everybody waits for them. */
static void rank(const handle *h, fed_side side)
{
    io_conn_rank(h->io, side == FED_INSIDE ? IO_RANK_FAVOURED : IO_RANK_NEW);
}

void app_bind_accept(app_bind *b, fed_side side, bool direct, int fd, const io_addr *peer)
{
    handle *h = app_take(sizeof *h);
    const fed_addr from = app_addr_to_fed(peer);
    h->bind = b;
    b->conns++;
    h->io = io_conn_adopt(b->loop, fd, peer, &CALLS, h);
    if (!h->io) {
        handle_free(h);
        return;
    }
    rank(h, side);
    h->fed = fed_on_accept(b->fed, side, direct, &from, h);
    if (h->fed) return;
    io_conn_close(h->io, IO_CLOSE_RESET, (s2s_span){NULL, 0});
    handle_free(h);
}

/* The plan has left out what may not be dialled; here, where a packet would be sent, it is asked again. */
static bool may_dial(const app_bind *b, fed_side side, const fed_addr *to)
{
    if (side == FED_INSIDE || fed_config_may_dial(b->config, to)) return true;
    char text[FED_ADDR_TEXT];
    app_log_say(b->log, FED_ERROR, "dial_blocked", "endpoint", fed_addr_print(to, text), "why",
                s2s_err_of(S2S_E_DNS_BLOCKED)->name, NULL);
    return false;
}

void *app_bind_dial(void *w, fed_conn *c, fed_side side, const fed_addr *to)
{
    app_bind *b = w;
    const io_addr addr = app_addr_to_io(to);
    s2s_err err = S2S_E_OK;
    if (!may_dial(b, side, to)) return NULL;
    handle *h = app_take(sizeof *h);
    h->bind = b;
    h->fed = c;
    b->conns++;
    h->io = io_conn_dial(b->loop, &addr, &CALLS, h, &err);
    if (h->io) {
        rank(h, side);
        return h;
    }
    handle_free(h);
    return NULL;
}

/* ---- what fed asks of one ---- */

static io_session_place *place_of(const app_bind *b, const handle *h, const fed_tls_ask *ask,
                                  SSL_CTX *ctx)
{
    const io_session_way way = {ctx, ask->ours, ask->sni, *io_conn_peer(h->io)};
    io_session_place *p = io_session_hold(b->sessions, &way);
    if (p && ask->full) io_session_bar(p, io_loop_now(b->loop));
    return p;
}

void app_bind_start_tls(void *w, void *io, const fed_tls_ask *ask)
{
    const app_bind *b = w;
    const handle *h = io;
    const s2s_domain *ours = ask->ours.len ? &ask->ours : NULL;
    const io_tls *t = b->tls[ask->side];
    io_conn_tls how = {
        .role = ask->role,
        .ctx = ask->role == S2S_INITIATING ? io_tls_client(t, ours) : io_tls_server(t, ours),
        .sni = ask->sni.len ? ask->sni.text : NULL,
        .ask_client_cert = ask->ask_client_cert,
        .direct = ask->direct,
    };
    /* Settings without a certificate offer no TLS; but somebody may begin with it unasked. */
    S2S_ASSERT(how.ctx != NULL || ask->direct);
    if (ask->role == S2S_INITIATING) how.place = place_of(b, h, ask, how.ctx);
    io_conn_start_tls(h->io, &how);
}

/* Policies and peers of the settings stand in one order. */
static const app_pins *pins_of(const app_bind *b, const fed_policy *policy)
{
    return &b->settings->peers[policy - b->config->policies].pins;
}

static s2s_err judge_dane(const SSL *ssl, const fed_judge_ask *ask, char detail[128])
{
    const io_judge_ask chain = io_judge_ask_of(ssl, NULL, ask->domain);
    io_tlsa *tlsa = app_take(ask->n_tlsa * sizeof *tlsa);
    for (size_t i = 0; i < ask->n_tlsa; i++)
        tlsa[i] = (io_tlsa){ask->tlsa[i].usage, ask->tlsa[i].selector, ask->tlsa[i].matching,
                            ask->tlsa[i].data};
    const io_dane_ask dane = {tlsa, ask->n_tlsa, ask->hosts, ask->n_hosts};
    s2s_err err = io_dane_judge(&chain, &dane, detail);
    free(tlsa);
    return err;
}

static s2s_err judge_posh(X509 *leaf, const fed_judge_ask *ask, char detail[128])
{
    io_posh_print *prints = app_take(ask->n_prints * sizeof *prints);
    for (size_t i = 0; i < ask->n_prints; i++) {
        prints[i].len = ask->prints[i].len;
        memcpy(prints[i].digest, ask->prints[i].digest, sizeof prints[i].digest);
    }
    s2s_err err = io_posh_judge(leaf, prints, ask->n_prints, 0, detail);
    free(prints);
    return err;
}

/* By an authority; the domain's own name, or that of a host the DNS leads to securely. */
static s2s_err judge_chain(io_verdicts *v, const SSL *ssl, const fed_judge_ask *ask,
                           char detail[128])
{
    s2s_err err = io_verdicts_judge_ssl(v, ssl, ask->domain, detail);
    for (size_t i = 0; i < ask->n_hosts && err == S2S_E_CERT_NAME; i++)
        err = io_verdicts_judge_ssl(v, ssl, &ask->hosts[i], detail);
    return err;
}

/* A key of the peer's pins is as good as a certificate of an authority; where only pins count, nothing else is. */
static s2s_err judge(const app_bind *b, const SSL *ssl, const fed_judge_ask *ask, s2s_proof *proof,
                     char detail[128])
{
    const fed_policy *policy = fed_config_policy(b->config, ask->domain);
    X509 *leaf = ssl ? SSL_get0_peer_certificate(ssl) : NULL;
    io_pin pin;
    if (!leaf) return S2S_E_CERT_MISSING;
    if (ask->side == FED_OUTSIDE && (policy->proofs & FED_PROOF_PIN) != 0) {
        const app_pins *pins = pins_of(b, policy);
        if (!io_pin_of(leaf, &pin)) return S2S_E_NOMEM;
        *proof = S2S_PROOF_PIN;
        if (io_pin_is_among(&pin, pins->item, pins->n)) return S2S_E_OK;
        io_pin_print(&pin, detail);
        if ((policy->proofs & ~(unsigned)(FED_PROOF_PIN | FED_PROOF_DIALBACK)) == 0)
            return S2S_E_CERT_PIN;
    }
    if (ask->n_tlsa > 0) {
        *proof = S2S_PROOF_DANE;
        return judge_dane(ssl, ask, detail);
    }
    if (ask->n_prints > 0) {
        *proof = S2S_PROOF_POSH;
        return judge_posh(leaf, ask, detail);
    }
    *proof = S2S_PROOF_CERTIFICATE;
    return judge_chain(b->verdicts[ask->side], ssl, ask, detail);
}

s2s_err app_bind_judge(void *w, void *io, const fed_judge_ask *ask, s2s_proof *proof)
{
    const app_bind *b = w;
    const handle *h = io;
    char detail[128] = "";
    s2s_err err = judge(b, io_conn_ssl(h->io), ask, proof, detail);
    if (err != S2S_E_OK)
        app_log_say(b->log, FED_DEBUG, "certificate", "domain", ask->domain->text, "why",
                    s2s_err_of(err)->name, "detail", detail, NULL);
    return err;
}

/* Another key than the last one is told (attack 83): a certificate was renewed with a new one, or somebody is in between. */
void app_bind_found(void *w, void *io, const s2s_domain *domain, s2s_proof proof)
{
    const app_bind *b = w;
    const SSL *ssl = io_conn_ssl(((const handle *)io)->io);
    X509 *leaf = ssl ? SSL_get0_peer_certificate(ssl) : NULL;
    io_keys_entry now = {.good = proof != S2S_PROOF_NONE}, before;
    char old[IO_PIN_TEXT], new[IO_PIN_TEXT], peer[IO_ADDR_TEXT];
    if (!leaf || !io_pin_of(leaf, &now.pin)) return;
    if (!io_keys_changed(b->keys, domain, &now, &before)) return;
    app_log_say(b->log, now.good ? FED_NOTICE : FED_WARN, "peer_key_changed", "domain",
                domain->text, "peer", io_addr_print(io_conn_peer(((const handle *)io)->io), peer),
                "old", io_pin_print(&before.pin, old), "old_good", before.good ? "yes" : "no",
                "new", io_pin_print(&now.pin, new), "good", now.good ? "yes" : "no", "proof",
                s2s_proof_name(proof), NULL);
}

void app_bind_flush(void *w, void *io)
{
    (void)w;
    io_conn_flush(((const handle *)io)->io);
}

void app_bind_pause(void *w, void *io, bool paused)
{
    (void)w;
    io_conn_pause(((const handle *)io)->io, paused);
}

uint64_t app_bind_acked(void *w, void *io)
{
    (void)w;
    return io_conn_acked(((const handle *)io)->io);
}

void app_bind_close(void *w, void *io, bool gracefully)
{
    handle *h = io;
    (void)w;
    io_conn_close(h->io, gracefully ? IO_CLOSE_GRACEFUL : IO_CLOSE_ABRUPT, (s2s_span){NULL, 0});
    handle_free(h);
}
