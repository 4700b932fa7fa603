/* bare.c - see bare.h. */
#include "bare.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scan.h"

enum { NAME = 128, HEAD_MAX = 4096 };

typedef enum bare_state { WAIT_CONNECTED, WAIT_TLS, WAIT_HEAD, WAIT_HANDSHAKE, READY } bare_state;

struct bare_link {
    bare_link *next;
    bare *of;
    net_conn *conn; /* NULL: over */
    bare_state state;
    bool component, incoming;
    char name[NAME], secret[NAME]; /* component; name is also a tunnel's SNI */
    const net_cert *cert;
    flush_mode mode;
    raw raw;
    scan scan;
    s2s_buf carry; /* of an element whose end has not come, or of the stream's head */
};

struct bare {
    net *net;
    const bare_story *story;
    void *ctx;
    bare_link *links;
};

void bare_handshake(s2s_span id, const char *secret, char out[41])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) == 1 &&
              EVP_DigestUpdate(ctx, id.ptr, id.len) == 1 &&
              EVP_DigestUpdate(ctx, secret, strlen(secret)) == 1 &&
              EVP_DigestFinal_ex(ctx, digest, &n) == 1;
    S2S_ASSERT(ok && n == 20);
    for (size_t i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", (unsigned)digest[i]);
    EVP_MD_CTX_free(ctx);
}

/* ---- links ---- */

static bare_link *link_new(bare *b, flush_mode mode)
{
    bare_link *l = calloc(1, sizeof *l);
    S2S_ASSERT(l);
    l->of = b;
    l->mode = mode;
    raw_init(&l->raw);
    s2s_buf_init(&l->carry, 0);
    l->next = b->links;
    b->links = l;
    return l;
}

static void link_free(bare_link *l)
{
    if (l->conn) net_close(l->conn);
    raw_fini(&l->raw);
    s2s_buf_fini(&l->carry);
    free(l);
}

/* The connection is gone, or is let go. */
static void link_broke(bare_link *l, const char *why)
{
    char text[256];
    snprintf(text, sizeof text, "%s%s%s", l->name, l->name[0] ? ": " : "", why);
    if (l->conn) net_close(l->conn);
    l->conn = NULL;
    l->of->story->broke(l->of->ctx, text);
}

static void say(bare_link *l, const char *text)
{
    raw_put(&l->raw, s2s_span_of(text));
    net_flush(l->conn);
}

static void become_ready(bare_link *l)
{
    l->state = READY;
    if (l->component && l->mode == FLUSH_RECORD) l->mode = FLUSH_FULL; /* there are no records */
    if (!l->component && l->mode == FLUSH_RECORD) (void)net_cork(l->conn);
    if (!l->incoming) l->of->story->ready(l->of->ctx, l);
}

/* ---- what comes ---- */

static bool starts_with(s2s_span bytes, const char *word)
{
    size_t n = strlen(word);
    return bytes.len > n && !memcmp(bytes.ptr, word, n) && strchr(" />\t\r\n", bytes.ptr[n]);
}

static const char *find(s2s_span in, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= in.len; i++)
        if (!memcmp(in.ptr + i, word, n)) return in.ptr + i;
    return NULL;
}

static void take_element(bare_link *l, s2s_span bytes)
{
    while (bytes.len > 0 && *bytes.ptr != '<') {
        bytes.ptr++;
        bytes.len--;
    }
    if (l->state == READY && (starts_with(bytes, "<message") || starts_with(bytes, "<presence") ||
                              starts_with(bytes, "<iq")))
        l->of->story->arrived(l->of->ctx, bytes);
    else if (l->state == WAIT_HANDSHAKE && starts_with(bytes, "<handshake"))
        become_ready(l);
    else {
        char text[200];
        int shown = bytes.len < 160 ? (int)bytes.len : 160;
        snprintf(text, sizeof text, "it sent %.*s", shown, bytes.ptr);
        link_broke(l, text);
    }
}

static void scan_bytes(bare_link *l, s2s_span bytes)
{
    while (bytes.len > 0 && l->conn) {
        bool whole, carried = s2s_buf_span(&l->carry).len > 0;
        s2s_span piece = {bytes.ptr, scan_run(&l->scan, bytes.ptr, bytes.len, &whole)};
        bytes.ptr += piece.len;
        bytes.len -= piece.len;
        if (!whole && scan_between(&l->scan)) return;
        if (carried || !whole) {
            s2s_err err = s2s_buf_put(&l->carry, piece);
            S2S_ASSERT(err == S2S_E_OK);
        }
        if (!whole) return;
        take_element(l, carried ? s2s_buf_span(&l->carry) : piece);
        s2s_buf_clear(&l->carry);
    }
}

/* The server's stream head, whole; false: it has no id. */
static bool answer_head(bare_link *l, s2s_span head)
{
    const char *id = find(head, " id=");
    if (!id || head.ptr + head.len - id < 6) return false;
    const char *begin = id + 5, *end = head.ptr + head.len;
    const char *quote = memchr(begin, id[4], (size_t)(end - begin));
    char digest[41], text[80];
    if (!quote) return false;
    bare_handshake((s2s_span){begin, (size_t)(quote - begin)}, l->secret, digest);
    snprintf(text, sizeof text, "<handshake>%s</handshake>", digest);
    l->state = WAIT_HANDSHAKE;
    say(l, text);
    return true;
}

static void take_head(bare_link *l, s2s_span bytes)
{
    s2s_err err = s2s_buf_put(&l->carry, bytes);
    S2S_ASSERT(err == S2S_E_OK);
    s2s_span all = s2s_buf_span(&l->carry);
    const char *tag = find(all, "<stream:stream");
    const char *end = tag ? memchr(tag, '>', (size_t)(all.ptr + all.len - tag)) : NULL;
    if (!end) {
        if (all.len > HEAD_MAX) link_broke(l, "it sent no stream head");
        return;
    }
    s2s_span head = {tag, (size_t)(end + 1 - tag)};
    size_t rest = (size_t)(all.ptr + all.len - (end + 1));
    if (!answer_head(l, head)) {
        link_broke(l, "its stream head has no id");
        return;
    }
    s2s_buf_clear(&l->carry);
    bytes.ptr += bytes.len - rest;
    bytes.len = rest;
    scan_bytes(l, bytes);
}

/* ---- what the net tells ---- */

static void on_accepted(void *owner, net_conn *c)
{
    bare_link *l = link_new(owner, FLUSH_FULL);
    l->incoming = true;
    l->conn = c;
    l->state = WAIT_TLS;
    net_adopt(c, l);
}

static void on_connected(void *user)
{
    bare_link *l = user;
    if (l->component) {
        char head[2 * NAME + 128];
        snprintf(head, sizeof head,
                 "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
                 "xmlns:stream='http://etherx.jabber.org/streams' to='%s'>",
                 l->name);
        l->state = WAIT_HEAD;
        say(l, head);
    } else {
        l->state = WAIT_TLS;
        net_tls(l->conn, true, l->cert, l->name);
    }
}

static void on_bytes(void *user, s2s_span bytes)
{
    bare_link *l = user;
    if (!l->conn) return;
    if (l->state == WAIT_HEAD)
        take_head(l, bytes);
    else
        scan_bytes(l, bytes);
}

static void on_tls(void *user, const char *version)
{
    (void)version;
    become_ready(user);
}

static void on_lost(void *user, s2s_err why)
{
    bare_link *l = user;
    l->conn = NULL;
    link_broke(l, s2s_err_of(why)->sentence);
}

static s2s_span on_out(void *user)
{
    const bare_link *l = user;
    return raw_out(&l->raw, l->mode);
}

static void on_sent(void *user, size_t n)
{
    bare_link *l = user;
    raw_sent(&l->raw, n);
}

static const net_handler handler = {on_accepted, on_connected, on_bytes, on_tls,
                                    on_lost,     on_out,       on_sent,  NULL};

/* ---- the public part ---- */

bare *bare_new(net *n, const bare_story *story, void *ctx)
{
    bare *b = calloc(1, sizeof *b);
    if (b) *b = (bare){.net = n, .story = story, .ctx = ctx};
    return b;
}

void bare_free(bare *b)
{
    if (!b) return;
    while (b->links) {
        bare_link *l = b->links;
        b->links = l->next;
        link_free(l);
    }
    free(b);
}

static bare_link *dialled(bare_link *l, const char *addr, const char *name)
{
    snprintf(l->name, sizeof l->name, "%s", name);
    l->conn = net_dial_as(l->of->net, addr, &handler, l);
    return l->conn ? l : NULL;
}

bare_link *bare_component(bare *b, const char *addr, const char *name, const char *secret,
                          flush_mode mode)
{
    bare_link *l = link_new(b, mode);
    l->component = true;
    snprintf(l->secret, sizeof l->secret, "%s", secret);
    return dialled(l, addr, name);
}

bare_link *bare_tunnel(bare *b, const char *addr, const net_cert *cert, const char *sni,
                       flush_mode mode)
{
    bare_link *l = link_new(b, mode);
    l->cert = cert;
    return dialled(l, addr, sni);
}

bool bare_listen(bare *b, const char *addr, const net_cert *cert)
{
    net_door_plan plan = {.addr = addr, .handler = &handler, .owner = b, .cert = cert};
    return net_listen_as(b->net, &plan);
}

void bare_put(bare_link *l, s2s_span stanza)
{
    if (!l->conn) return;
    raw_put(&l->raw, stanza);
    net_flush(l->conn);
}

void bare_close_all(bare *b)
{
    for (bare_link *l = b->links; l; l = l->next) {
        if (l->conn && l->component) say(l, "</stream:stream>");
        if (l->conn) net_close(l->conn);
        l->conn = NULL;
    }
}
