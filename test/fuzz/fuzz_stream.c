/* fuzz_stream.c - a whole stream in either role, against any peer and any caller.
 * For:    the promises of the stream, whatever comes and however it is cut.
 * Input:  three bytes of choices (letters in the corpus, so that it can be read), then what the peer
 *         sends. 0x01 and a letter is a word of our caller; 0x01 is no XML character otherwise.
 *         byte 0: bit 0 role; bits 1-2 TLS level, or direct TLS; bits 3-4 how far a canned beginning goes;
 *                 bit 5 unset (capital letters): stanzas may go both ways
 *         byte 1: how the caller answers   byte 2: how the bytes are cut                      */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <s2s/buf.h>
#include <s2s/stream.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define HEAD_ATTRS "xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
#define DB         "xmlns:db='jabber:server:dialback' "
#define XMLNS_TLS  "xmlns='urn:ietf:params:xml:ns:xmpp-tls'"

typedef struct scene {
    s2s_stream *stream;
    s2s_stream
        *again; /* takes each stanza once more: canonical form must be its own canonical form */
    s2s_xml *mirror; /* reads what we write, as a strict peer would */
    s2s_buf clear;   /* what was written before TLS */
    s2s_role role;
    s2s_tls_level level;
    bool direct; /* TLS comes first */
    bool bidi;   /* offered, and asked for where it is offered */
    uint8_t choice;
    uint32_t cuts;
    uint64_t sent;
    unsigned resumed;
    unsigned stanzas_out, acked, stanzas_in, taken; /* while stream management is on */
    unsigned readies;
    bool mirror_begun;
    bool dead;
    s2s_domain a, b, c;
} scene;

static s2s_domain domain(const char *text)
{
    s2s_domain d;
    S2S_ASSERT(s2s_domain_make(s2s_span_of(text), &d) == S2S_E_OK);
    return d;
}

/* ---- what we write ---- */

static const char declaration[] = "<?xml version='1.0'?>";

static void mirror_feed(scene *sc, s2s_span bytes)
{
    while (bytes.len > 0) {
        size_t n = s2s_xml_feed(sc->mirror, bytes);
        s2s_xml_item item = s2s_xml_next(sc->mirror);
        S2S_ASSERT(item.kind != S2S_XML_ERROR);
        S2S_ASSERT(n > 0 || item.kind != S2S_XML_NONE);
        bytes = (s2s_span){bytes.ptr + n, bytes.len - n};
        while (item.kind != S2S_XML_NONE)
            item = s2s_xml_next(sc->mirror);
    }
}

/* Each stream of ours begins with the declaration, which can stand nowhere else. */
static void mirror(scene *sc, s2s_span out)
{
    while (out.len > 0) {
        const char *at = memmem(out.ptr, out.len, declaration, sizeof declaration - 1);
        size_t before = at == NULL ? out.len : (size_t)(at - out.ptr);
        if (before > 0) {
            mirror_feed(sc, (s2s_span){out.ptr, before});
        } else {
            if (sc->mirror_begun) S2S_ASSERT(s2s_xml_restart(sc->mirror) == S2S_E_OK);
            sc->mirror_begun = true;
            before = sizeof declaration - 1;
            mirror_feed(sc, (s2s_span){out.ptr, before});
        }
        out = (s2s_span){out.ptr + before, out.len - before};
    }
}

static bool says(const s2s_buf *b, const char *part)
{
    s2s_span all = s2s_buf_span(b);
    return all.len > 0 && memmem(all.ptr, all.len, part, strlen(part)) != NULL;
}

/* As content only: a peer may call itself k3y, and hears its name again in our header. */
static void check_clear(const scene *sc)
{
    if (sc->level != S2S_TLS_REQUIRED) return;
    S2S_ASSERT(!says(&sc->clear, ">k3y<") && !says(&sc->clear, ">th3ir<"));
    S2S_ASSERT(!says(&sc->clear, "<auth") && !says(&sc->clear, "<response"));
    S2S_ASSERT(!says(&sc->clear, "<bidi "));
    S2S_ASSERT(!says(&sc->clear, "type='valid'") && !says(&sc->clear, "<success"));
}

static void take_out(scene *sc)
{
    s2s_span out = s2s_stream_out(sc->stream);
    S2S_ASSERT(sc->sent + out.len == s2s_stream_out_total(sc->stream));
    mirror(sc, out);
    if (!s2s_stream_in_tls(sc->stream) && sc->level == S2S_TLS_REQUIRED) {
        S2S_ASSERT(s2s_buf_put(&sc->clear, out) == S2S_E_OK);
        check_clear(sc);
    }
    S2S_ASSERT(out.len == 0 || !sc->direct || s2s_stream_in_tls(sc->stream));
    sc->sent += out.len;
    s2s_stream_sent(sc->stream, out.len);
}

/* ---- what comes out of it ---- */

static void check_stanza(scene *sc, const s2s_event *ev)
{
    const s2s_stanza *st = ev->stanza;
    S2S_ASSERT(sc->role == S2S_RECEIVING || s2s_stream_bidi(sc->stream));
    S2S_ASSERT(s2s_domain_eq(&st->from_domain, &ev->from));
    S2S_ASSERT(st->bytes.len <= s2s_xml_limits_open.stanza);
    if (ev->kind == S2S_EV_STANZA_REFUSED) return;
    S2S_ASSERT(s2s_domain_eq(&st->to_domain, &ev->to));
    S2S_ASSERT(s2s_stream_takes(sc->stream, &ev->from, &ev->to));
    if (sc->again == NULL || !s2s_domain_eq(&ev->from, &sc->a)) return;
    if (!s2s_domain_eq(&ev->to, &sc->b)) return;

    s2s_span rest = st->bytes;
    for (; rest.len > 65536; rest = (s2s_span){rest.ptr + 65536, rest.len - 65536}) {
        s2s_stream_feed(sc->again, (s2s_span){rest.ptr, 65536});
        S2S_ASSERT(s2s_stream_next(sc->again)->kind == S2S_EV_NONE);
    }
    s2s_stream_feed(sc->again, rest);
    const s2s_event *same = s2s_stream_next(sc->again);
    S2S_ASSERT(same->kind == S2S_EV_STANZA);
    S2S_ASSERT(s2s_span_eq(same->stanza->bytes, st->bytes));
    S2S_ASSERT(s2s_stream_next(sc->again)->kind == S2S_EV_NONE);
}

static void answer_head(scene *sc)
{
    s2s_answer answer = {.as = sc->b,
                         .id = S2S_LIT("i'd"),
                         .tls = sc->level,
                         .offer_external = (sc->choice & 1) != 0,
                         .offer_dialback = (sc->choice & 2) != 0,
                         .offer_sm = (sc->choice & 0x40) != 0,
                         .max_bytes = (sc->choice & 0x80) != 0 ? 20000 : 0,
                         .idle_seconds = (sc->choice & 0x80) != 0 ? 60 : 0,
                         .offer_bidi = sc->bidi};
    if (sc->role == S2S_RECEIVING) s2s_stream_answer(sc->stream, &answer);
}

static void answer_event(scene *sc, const s2s_event *ev)
{
    s2s_stream *s = sc->stream;
    s2s_verdict verdict = (s2s_verdict)(sc->choice >> 2 & 3 ? (sc->choice >> 2 & 3) - 1 : 0);
    bool at_once = (sc->choice & 0x10) == 0;
    bool clear = sc->level == S2S_TLS_REQUIRED && !s2s_stream_in_tls(s);
    switch (ev->kind) {
    case S2S_EV_HEAD: answer_head(sc); return;
    case S2S_EV_READY: S2S_ASSERT(++sc->readies == 1 && !clear); return;
    case S2S_EV_NEED_TLS:
        take_out(sc);
        if (at_once) s2s_stream_tls_done(s);
        return;
    case S2S_EV_MAKE_KEY:
        S2S_ASSERT(!clear);
        if (at_once) s2s_stream_give_key(s, &ev->from, &ev->to, S2S_LIT("k3y"));
        return;
    case S2S_EV_AUTH:
        S2S_ASSERT(s2s_stream_in_tls(s) && ev->from.len > 0);
        s2s_stream_answer_auth(s, (sc->choice & 0x20) == 0, "not-authorized");
        return;
    case S2S_EV_PROVE:
        S2S_ASSERT(!clear && ev->key.len > 0 && ev->key.len <= 256);
        if (at_once)
            s2s_stream_answer_result(s, &ev->from, &ev->to, verdict, "item-not-found",
                                     S2S_PROOF_DIALBACK);
        return;
    case S2S_EV_CHECK_KEY:
        S2S_ASSERT(!clear);
        s2s_stream_answer_verify(s, &ev->from, &ev->to, ev->id, verdict, "item-not-found");
        return;
    case S2S_EV_PAIR_OPEN:
        S2S_ASSERT(!clear && ev->proof != S2S_PROOF_NONE);
        S2S_ASSERT(ev->theirs ? s2s_stream_takes(s, &ev->from, &ev->to)
                              : s2s_stream_sends(s, &ev->from, &ev->to));
        return;
    case S2S_EV_STANZA:
    case S2S_EV_STANZA_REFUSED:
        check_stanza(sc, ev);
        if (s2s_stream_sm(s) == S2S_SM_ON) sc->stanzas_in++;
        return;
    case S2S_EV_ACKED:
        sc->acked += ev->count;
        S2S_ASSERT(ev->count > 0 && sc->acked <= sc->stanzas_out);
        return;
    case S2S_EV_DEAD: sc->dead = true; return;
    case S2S_EV_NONE:
    case S2S_EV_RESUMED: sc->resumed++; return;
    case S2S_EV_PAIR_REFUSED:
    case S2S_EV_VERIFY_ANSWER:
    case S2S_EV_NOTE:
    case S2S_EV_CLOSED: return;
    }
}

static void walk(scene *sc)
{
    const s2s_event *ev;
    while ((ev = s2s_stream_next(sc->stream))->kind != S2S_EV_NONE) {
        S2S_ASSERT(!sc->dead);
        answer_event(sc, ev);
        take_out(sc);
    }
    take_out(sc);
    S2S_ASSERT(s2s_stream_state(sc->stream)[0] != '\0');
    S2S_ASSERT(!sc->dead || !s2s_stream_half_stanza(sc->stream));
}

/* ---- what goes into it ---- */

/* Only what was agreed on under TLS, and only the reverse of what is proved. */
static void open_back(scene *sc)
{
    s2s_stream *s = sc->stream;
    bool proved = s2s_stream_bidi(s) && s2s_stream_pair_open(s, &sc->a, &sc->b);
    s2s_err err = s2s_stream_open_back(s, &sc->b, &sc->a, S2S_PROOF_CERTIFICATE);
    S2S_ASSERT(!s2s_stream_bidi(s) || (sc->bidi && s2s_stream_in_tls(s)));
    S2S_ASSERT((err == S2S_E_OK) == proved || err == S2S_E_PAIR_LIMIT);
}

static void do_word(scene *sc, uint8_t letter)
{
    s2s_stream *s = sc->stream;
    bool initiating = sc->role == S2S_INITIATING;
    s2s_span none = {NULL, 0};
    switch (letter) {
    case 'w':
        if (initiating) (void)!s2s_stream_want_pair(s, &sc->a, &sc->b);
        break;
    case 'W':
        if (initiating) (void)!s2s_stream_want_pair(s, &sc->c, &sc->b);
        break;
    case 'q':
        if (initiating)
            (void)!s2s_stream_ask_verify(s, &sc->a, &sc->b, S2S_LIT("7"), S2S_LIT("th3ir"));
        break;
    case 'd':
        if (initiating) s2s_stream_drop_pair(s, &sc->a, &sc->b);
        break;
    case 'k': s2s_stream_give_key(s, &sc->a, &sc->b, S2S_LIT("k3y")); break;
    case 's':
        if (s2s_stream_send(s, &sc->a, &sc->b, S2S_LIT("<message from='a'/>")) == S2S_E_OK)
            sc->stanzas_out++;
        break;
    case 'r': s2s_stream_ask_ack(s); break;
    case 'a':
        if (sc->taken < sc->stanzas_in) {
            s2s_stream_taken(s, 1);
            sc->taken++;
        }
        break;
    case 'A': s2s_stream_tell_taken(s); break;
    case 'l': s2s_stream_keep_alive(s); break;
    case 'b': open_back(sc); break;
    case 'S':
        if (s2s_stream_send(s, &sc->b, &sc->a, S2S_LIT("<message from='b'/>")) == S2S_E_OK)
            sc->stanzas_out++;
        break;
    case 'V':
        s2s_stream_answer_result(s, &sc->b, &sc->a, S2S_VALID, NULL, S2S_PROOF_DIALBACK);
        break;
    case 't': s2s_stream_tls_done(s); break;
    case 'h':
        if (!initiating) s2s_stream_hello(s);
        break;
    case 'v':
        s2s_stream_answer_result(s, &sc->a, &sc->b, S2S_VALID, NULL, S2S_PROOF_DIALBACK);
        break;
    case 'i': s2s_stream_answer_result(s, &sc->a, &sc->b, S2S_INVALID, NULL, S2S_PROOF_NONE); break;
    case 'c': s2s_stream_close(s, S2S_E_OK, none); break;
    case 'x': s2s_stream_close(s, S2S_E_SHUTDOWN, S2S_LIT("<bye&")); break;
    case 'e': s2s_stream_eof(s); break;
    default: s2s_stream_feed(s, (s2s_span){"\x01", 1}); break;
    }
    walk(sc);
}

static size_t next_cut(scene *sc, size_t left)
{
    sc->cuts = sc->cuts * UINT32_C(1664525) + UINT32_C(1013904223);
    size_t n = 1 + (sc->cuts >> 24) % 64;
    if (sc->cuts % 7 == 0) n *= 64;
    return n < left ? n : left;
}

static void feed(scene *sc, s2s_span bytes)
{
    while (bytes.len > 0) {
        size_t n = next_cut(sc, bytes.len);
        s2s_stream_feed(sc->stream, (s2s_span){bytes.ptr, n});
        walk(sc);
        bytes = (s2s_span){bytes.ptr + n, bytes.len - n};
    }
}

static void run(scene *sc, const uint8_t *data, size_t len)
{
    while (len > 0) {
        const uint8_t *mark = memchr(data, 1, len);
        size_t n = mark == NULL ? len : (size_t)(mark - data);
        feed(sc, (s2s_span){(const char *)data, n});
        data += n;
        len -= n;
        if (len == 0) break;
        if (len > 1) do_word(sc, data[1]);
        data += len > 1 ? 2 : 1;
        len -= len > 1 ? 2 : 1;
    }
}

/* ---- the scene ---- */

/* A canned beginning, so that inputs need not find their way through the whole handshake. */
static void begin(scene *sc, unsigned depth)
{
    static const char receiving[] =
        "<stream:stream " HEAD_ATTRS DB "from='a.example' to='b.example' version='1.0'>";
    static const char initiating[] =
        "<stream:stream " HEAD_ATTRS DB "from='b.example' to='a.example' id='r' version='1.0'>";
    const char *head = sc->role == S2S_RECEIVING ? receiving : initiating;
    uint8_t choice = sc->choice;
    bool starttls = sc->level != S2S_TLS_NONE && !sc->direct;

    if (depth == 0) return;
    sc->choice = 0x03;               /* answers at once, and valid, till the input takes over */
    s2s_stream_tls_done(sc->stream); /* of direct TLS, if nobody said so yet */
    walk(sc);
    feed(sc, s2s_span_of(head));
    if (starttls && sc->role == S2S_RECEIVING) feed(sc, S2S_LIT("<starttls " XMLNS_TLS "/>"));
    if (starttls && sc->role == S2S_INITIATING)
        feed(sc, S2S_LIT("<stream:features><starttls " XMLNS_TLS "/></stream:features>"));
    if (starttls && sc->role == S2S_INITIATING) feed(sc, S2S_LIT("<proceed " XMLNS_TLS "/>"));
    if (starttls) feed(sc, s2s_span_of(head));
    if (depth > 1 && sc->bidi && sc->role == S2S_RECEIVING)
        feed(sc, S2S_LIT("<bidi xmlns='urn:xmpp:bidi'/>"));
    if (depth > 1 && sc->role == S2S_RECEIVING)
        feed(sc, S2S_LIT("<db:result from='a.example' to='b.example'>k</db:result>"));
    if (depth > 1 && sc->role == S2S_INITIATING)
        feed(sc, S2S_LIT("<stream:features><dialback xmlns='urn:xmpp:features:dialback'><errors/>"
                         "</dialback><bidi xmlns='urn:xmpp:features:bidi'/></stream:features>"));
    sc->choice = choice;
}

static s2s_stream *new_again(const scene *sc)
{
    s2s_stream_config c;
    s2s_stream_config_init(&c, S2S_RECEIVING);
    s2s_stream *s = s2s_stream_new(&c);
    s2s_answer answer = {.as = sc->b, .id = S2S_LIT("1"), .tls = S2S_TLS_NONE};
    S2S_ASSERT(s != NULL);
    s2s_stream_feed(s, S2S_LIT("<stream:stream " HEAD_ATTRS DB ">"));
    S2S_ASSERT(s2s_stream_next(s)->kind == S2S_EV_HEAD);
    s2s_stream_answer(s, &answer);
    s2s_stream_feed(s, S2S_LIT("<db:result from='a.example' to='b.example'>k</db:result>"));
    S2S_ASSERT(s2s_stream_next(s)->kind == S2S_EV_PROVE);
    s2s_stream_answer_result(s, &sc->a, &sc->b, S2S_VALID, NULL, S2S_PROOF_DIALBACK);
    S2S_ASSERT(s2s_stream_next(s)->kind == S2S_EV_PAIR_OPEN);
    S2S_ASSERT(s2s_stream_next(s)->kind == S2S_EV_NONE);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const s2s_tls_level levels[4] = {S2S_TLS_REQUIRED, S2S_TLS_OPTIONAL, S2S_TLS_NONE,
                                            S2S_TLS_REQUIRED};
    if (len < 3) return 0;
    scene sc = {.role = data[0] & 1 ? S2S_RECEIVING : S2S_INITIATING,
                .level = levels[data[0] >> 1 & 3],
                .direct = (data[0] >> 1 & 3) == 3,
                .bidi = (data[0] & 0x20) == 0,
                .choice = data[1],
                .cuts = data[2],
                .a = domain("a.example"),
                .b = domain("b.example"),
                .c = domain("c.example")};
    s2s_stream_config c;
    s2s_stream_config_init(&c, sc.role);
    c.from = sc.a;
    c.to = sc.b;
    c.tls = sc.level;
    c.direct_tls = sc.direct;
    c.try_bidi = sc.bidi;
    c.try_external = (sc.choice & 1) != 0;
    c.try_sm = (sc.choice & 0x40) != 0;
    s2s_resumable before = {.id = S2S_LIT("old'"), .sent = 7, .acked = UINT32_MAX};
    if ((sc.choice & 0x80) != 0) c.resume = &before;
    c.allow_dialback = (sc.choice & 2) != 0 || sc.role == S2S_RECEIVING;
    c.max_pairs = 4;
    c.error_id = S2S_LIT("e");
    sc.stream = s2s_stream_new(&c);
    sc.mirror = s2s_xml_new(&s2s_xml_limits_open);
    if (sc.role == S2S_RECEIVING) sc.again = new_again(&sc);
    S2S_ASSERT(sc.stream != NULL && sc.mirror != NULL);
    s2s_buf_init(&sc.clear, 0);

    walk(&sc);
    begin(&sc, data[0] >> 3 & 3);
    run(&sc, data + 3, len - 3);
    s2s_stream_eof(sc.stream);
    walk(&sc);
    S2S_ASSERT(s2s_stream_next(sc.stream)->kind == S2S_EV_NONE);
    S2S_ASSERT(sc.resumed <= 1);

    s2s_buf_fini(&sc.clear);
    s2s_stream_free(sc.again);
    s2s_xml_free(sc.mirror);
    s2s_stream_free(sc.stream);
    return 0;
}
