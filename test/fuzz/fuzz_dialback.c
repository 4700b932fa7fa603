/* fuzz_dialback.c - dialback elements in any order, on a stream of either role, beside a table of who may be believed.
 * For:    a pair opens only when it was asked on this very stream and its own answer was `valid`; an answer to a question
 *         counts once, for that question; a stanza is taken only of an open pair (XEP-0220 2.1, 2.2, 2.4).
 * Never:  TLS, SASL, cut bytes (fuzz_stream).
 * Input:  a byte whose lowest bit is the role; then three for each step: what is done, from whom to whom, with which key,
 *         type or id.                                                                              */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <s2s/stream.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define HEAD                                                                                       \
    "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "        \
    "xmlns:db='jabber:server:dialback' version='1.0' "
#define STANZAS "urn:ietf:params:xml:ns:xmpp-stanzas"

enum { NAMES = 4, QUESTIONS_MAX = 8, PAIRS_MAX = 6, STEPS_MAX = 256 };

/* As a peer may write them; the last two are none. */
static const char *const SPELT[8] = {"a.example",
                                     "b.example",
                                     "A.Example.",
                                     "c.example",
                                     "xn--mnchen-3ya.example",
                                     "C.EXAMPLE",
                                     "m\xc3\xbcnchen.example",
                                     "no domain"};
static const char *const TYPES[4] = {"valid", "invalid", "error", "perhaps"};
static const char *const IDS[4] = {"7", "8", "i&amp;d", ""};
static const char *const PLAIN_IDS[4] = {"7", "8", "i&d", ""};
static const char *const KEYS[4] = {"k3y", " \n k3y ", "", "<x xmlns='u:x'>k</x>"};

typedef struct pair {
    bool asked;    /* initiating: by us; receiving: of us, and not answered yet */
    unsigned owed; /* initiating: keys of ours that are not answered */
    bool may_open; /* by what has just happened */
    bool open;
} pair;

typedef struct question {
    unsigned from, to, id;
    bool open;
} question;

typedef struct scene {
    s2s_stream *stream;
    bool initiating;
    s2s_domain names[NAMES];
    pair pairs[NAMES][NAMES]; /* from, to */
    question questions[QUESTIONS_MAX];
    size_t n_questions;
    const question *answered; /* by the element just read */
    bool asks_prove, asks_check, brings_stanza;
    bool dead;
} scene;

typedef struct step {
    uint8_t what;
    unsigned from, to; /* of SPELT */
    uint8_t with;
} step;

/* ---- who is who ---- */

/* NAMES: none of them, or no domain. */
static unsigned who(const scene *sc, const s2s_domain *d)
{
    for (unsigned i = 0; i < NAMES; i++)
        if (s2s_domain_eq(&sc->names[i], d)) return i;
    return NAMES;
}

static unsigned who_spelt(const scene *sc, unsigned spelt)
{
    s2s_domain d;
    return s2s_domain_make(s2s_span_of(SPELT[spelt]), &d) == S2S_E_OK ? who(sc, &d) : NAMES;
}

static pair *pair_of(scene *sc, const s2s_domain *from, const s2s_domain *to)
{
    unsigned f = who(sc, from), t = who(sc, to);
    S2S_ASSERT(f < NAMES && t < NAMES); /* nobody else was ever named */
    return &sc->pairs[f][t];
}

/* NULL: one of them is no domain. */
static pair *pair_spelt(scene *sc, unsigned from, unsigned to)
{
    unsigned f = who_spelt(sc, from), t = who_spelt(sc, to);
    return f < NAMES && t < NAMES ? &sc->pairs[f][t] : NULL;
}

/* ---- what the stream says ---- */

static void pair_opens(scene *sc, const s2s_event *ev)
{
    pair *p = pair_of(sc, &ev->from, &ev->to);
    S2S_ASSERT(p->may_open && !p->open);
    S2S_ASSERT(ev->proof == S2S_PROOF_DIALBACK);
    p->may_open = false;
    p->open = true;
}

static void verify_answered(scene *sc, const s2s_event *ev)
{
    const question *q = sc->answered;
    S2S_ASSERT(q != NULL);
    S2S_ASSERT(who(sc, &ev->from) == q->from && who(sc, &ev->to) == q->to);
    S2S_ASSERT(s2s_span_is(ev->id, PLAIN_IDS[q->id]));
    sc->answered = NULL;
}

static void make_key(scene *sc, const s2s_event *ev)
{
    s2s_domain from = ev->from, to = ev->to;
    pair *p = pair_of(sc, &from, &to);
    S2S_ASSERT(sc->initiating && p->asked && !p->open);
    p->owed++;
    s2s_stream_give_key(sc->stream, &from, &to, S2S_LIT("0ur<k3y"));
}

static void to_prove(scene *sc, const s2s_event *ev)
{
    pair *p = pair_of(sc, &ev->from, &ev->to);
    S2S_ASSERT(sc->asks_prove && !p->asked && !p->open);
    S2S_ASSERT(s2s_span_is(ev->key, "k3y"));
    sc->asks_prove = false;
    p->asked = true;
}

static void to_check(scene *sc, const s2s_event *ev)
{
    s2s_domain from = ev->from, to = ev->to;
    S2S_ASSERT(sc->asks_check && s2s_span_is(ev->key, "k3y") && ev->id.len > 0);
    sc->asks_check = false;
    s2s_stream_answer_verify(sc->stream, &from, &to, ev->id, S2S_INVALID, NULL);
}

static void act(scene *sc, const s2s_event *ev)
{
    switch (ev->kind) {
    case S2S_EV_PAIR_OPEN: pair_opens(sc, ev); return;
    case S2S_EV_PAIR_REFUSED:
        S2S_ASSERT(sc->initiating);
        pair_of(sc, &ev->from, &ev->to)->asked = false;
        return;
    case S2S_EV_VERIFY_ANSWER: verify_answered(sc, ev); return;
    case S2S_EV_MAKE_KEY: make_key(sc, ev); return;
    case S2S_EV_PROVE: to_prove(sc, ev); return;
    case S2S_EV_CHECK_KEY: to_check(sc, ev); return;
    case S2S_EV_STANZA:
        S2S_ASSERT(sc->brings_stanza && pair_of(sc, &ev->from, &ev->to)->open);
        return;
    case S2S_EV_CLOSED:
    case S2S_EV_DEAD: sc->dead = true; return;
    case S2S_EV_STANZA_REFUSED:
    case S2S_EV_HEAD:
    case S2S_EV_READY:
    case S2S_EV_NEED_TLS:
    case S2S_EV_AUTH:
    case S2S_EV_ACKED:
    case S2S_EV_RESUMED:
    case S2S_EV_NOTE:
    case S2S_EV_NONE: return;
    }
}

static void walk(scene *sc)
{
    const s2s_event *ev;
    while ((ev = s2s_stream_next(sc->stream))->kind != S2S_EV_NONE)
        act(sc, ev);
    s2s_stream_sent(sc->stream, s2s_stream_out(sc->stream).len);
}

/* ---- what the peer sends ---- */

static void element(scene *sc, const char *name, const step *st, const char *id, const char *type,
                    const char *inner)
{
    char text[512];
    int n =
        snprintf(text, sizeof text, "<%s from='%s' to='%s'", name, SPELT[st->from], SPELT[st->to]);
    if (id != NULL) n += snprintf(text + n, sizeof text - (size_t)n, " id='%s'", id);
    if (type != NULL) n += snprintf(text + n, sizeof text - (size_t)n, " type='%s'", type);
    n += snprintf(text + n, sizeof text - (size_t)n, ">%s</%s>", inner, name);
    S2S_ASSERT(n > 0 && (size_t)n < sizeof text);
    s2s_stream_feed(sc->stream, (s2s_span){text, (size_t)n});
    walk(sc);
    sc->asks_prove = sc->asks_check = sc->brings_stanza = false;
    sc->answered = NULL;
}

static const char *inner_of(const char *type)
{
    return strcmp(type, "error") == 0 ? "<error type='cancel'><item-not-found xmlns='" STANZAS
                                        "'/></error>"
                                      : "a key that comes back";
}

/* On an initiating stream only our own question counts, whatever is in the key's place. */
static void send_result_answer(scene *sc, const step *st)
{
    const char *type = TYPES[st->with & 3];
    pair *p = pair_spelt(sc, st->to, st->from); /* we ask the other way round */
    if (sc->initiating && p != NULL && p->owed > 0) {
        p->owed--;
        p->may_open = p->asked && !p->open && strcmp(type, "valid") == 0;
    }
    element(sc, "db:result", st, NULL, type, inner_of(type));
    S2S_ASSERT(sc->dead || p == NULL || !p->may_open); /* it has opened */
}

static void send_verify_answer(scene *sc, const step *st)
{
    const char *type = TYPES[st->with & 3];
    unsigned id = st->with >> 2 & 3, from = who_spelt(sc, st->to), to = who_spelt(sc, st->from);
    for (size_t i = 0; i < sc->n_questions && sc->initiating && sc->answered == NULL; i++) {
        question *q = &sc->questions[i];
        if (!q->open || q->from != from || q->to != to || q->id != id) continue;
        q->open = false;
        sc->answered = q;
    }
    bool ours = sc->answered != NULL;
    element(sc, "db:verify", st, IDS[id], type, inner_of(type));
    if (ours) S2S_ASSERT(sc->answered == NULL);
}

static void send_request(scene *sc, const step *st, bool verify)
{
    bool domains = pair_spelt(sc, st->from, st->to) != NULL;
    const char *id = verify ? IDS[st->with >> 2 & 3] : NULL;
    sc->asks_prove = !verify && domains && !sc->initiating;
    sc->asks_check = verify && domains && !sc->initiating;
    element(sc, verify ? "db:verify" : "db:result", st, id, NULL, KEYS[st->with & 3]);
}

static void send_stanza(scene *sc, const step *st)
{
    sc->brings_stanza = !sc->initiating;
    element(sc, "message", st, "m", NULL, "");
}

/* ---- what we do ---- */

static void want(scene *sc, const step *st)
{
    pair *p = pair_spelt(sc, st->from, st->to);
    if (p == NULL) return;
    unsigned f = who_spelt(sc, st->from), t = who_spelt(sc, st->to);
    bool before = p->asked;
    p->asked = true; /* the key may be wanted from within */
    s2s_err err = s2s_stream_want_pair(sc->stream, &sc->names[f], &sc->names[t]);
    S2S_ASSERT(err == S2S_E_OK || err == S2S_E_PAIR_LIMIT);
    if (err != S2S_E_OK) p->asked = before;
    walk(sc);
}

static void drop(scene *sc, const step *st)
{
    pair *p = pair_spelt(sc, st->from, st->to);
    if (p == NULL) return;
    unsigned f = who_spelt(sc, st->from), t = who_spelt(sc, st->to);
    s2s_stream_drop_pair(sc->stream, &sc->names[f], &sc->names[t]);
    if (!p->open) p->asked = false;
    walk(sc);
}

static void ask_verify(scene *sc, const step *st)
{
    unsigned f = who_spelt(sc, st->from), t = who_spelt(sc, st->to), id = st->with & 3;
    if (f == NAMES || t == NAMES || sc->n_questions == QUESTIONS_MAX || IDS[id][0] == '\0') return;
    s2s_err err = s2s_stream_ask_verify(sc->stream, &sc->names[f], &sc->names[t],
                                        s2s_span_of(PLAIN_IDS[id]), S2S_LIT("th3ir"));
    if (err == S2S_E_OK)
        sc->questions[sc->n_questions++] = (question){.from = f, .to = t, .id = id, .open = true};
    walk(sc);
}

static void answer(scene *sc, const step *st)
{
    s2s_verdict verdict = (s2s_verdict)(st->with % 3);
    pair *p = pair_spelt(sc, st->from, st->to);
    if (p == NULL) return;
    unsigned f = who_spelt(sc, st->from), t = who_spelt(sc, st->to);
    p->may_open = p->asked && verdict == S2S_VALID;
    p->asked = false;
    s2s_stream_answer_result(sc->stream, &sc->names[f], &sc->names[t], verdict, "item-not-found",
                             verdict == S2S_VALID ? S2S_PROOF_DIALBACK : S2S_PROOF_NONE);
    walk(sc);
    S2S_ASSERT(sc->dead || !p->may_open);
}

static void do_step(scene *sc, const step *st)
{
    switch (st->what % 8) {
    case 0: (sc->initiating ? want : answer)(sc, st); return;
    case 1:
        if (sc->initiating)
            drop(sc, st);
        else
            send_request(sc, st, false);
        return;
    case 2:
        if (sc->initiating)
            ask_verify(sc, st);
        else
            answer(sc, st);
        return;
    case 3: send_result_answer(sc, st); return;
    case 4: send_verify_answer(sc, st); return;
    case 5: send_request(sc, st, false); return;
    case 6: send_request(sc, st, true); return;
    case 7: send_stanza(sc, st); return;
    }
}

/* ---- the scene ---- */

static void begin(scene *sc)
{
    static const char *const spelt[NAMES] = {"a.example", "b.example", "c.example",
                                             "xn--mnchen-3ya.example"};
    s2s_stream_config c;
    for (unsigned i = 0; i < NAMES; i++)
        S2S_ASSERT(s2s_domain_make(s2s_span_of(spelt[i]), &sc->names[i]) == S2S_E_OK);
    s2s_stream_config_init(&c, sc->initiating ? S2S_INITIATING : S2S_RECEIVING);
    c.from = sc->names[0];
    c.to = sc->names[1];
    c.tls = S2S_TLS_NONE;
    c.max_pairs = PAIRS_MAX;
    sc->stream = s2s_stream_new(&c);
    S2S_ASSERT(sc->stream != NULL);
    s2s_stream_feed(sc->stream, sc->initiating
                                    ? S2S_LIT(HEAD "from='b.example' to='a.example' id='i'>")
                                    : S2S_LIT(HEAD "from='a.example' to='b.example'>"));
    S2S_ASSERT(s2s_stream_next(sc->stream)->kind == S2S_EV_HEAD);
    s2s_answer said = {.as = sc->names[1], .id = S2S_LIT("i"), .offer_dialback = true};
    if (sc->initiating)
        s2s_stream_feed(sc->stream, S2S_LIT("<stream:features/>"));
    else
        s2s_stream_answer(sc->stream, &said);
    walk(sc);
}

static void is_as_told(const scene *sc)
{
    for (unsigned f = 0; f < NAMES; f++)
        for (unsigned t = 0; t < NAMES; t++)
            S2S_ASSERT(s2s_stream_pair_open(sc->stream, &sc->names[f], &sc->names[t]) ==
                       sc->pairs[f][t].open);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 1) return 0;
    scene *sc = calloc(1, sizeof *sc);
    S2S_ASSERT(sc != NULL);
    sc->initiating = (data[0] & 1) != 0;
    begin(sc);
    size_t steps = (len - 1) / 3 < STEPS_MAX ? (len - 1) / 3 : STEPS_MAX;
    for (size_t i = 0; i < steps && !sc->dead; i++) {
        const uint8_t *at = data + 1 + 3 * i;
        step st = {.what = at[0], .from = at[1] & 7, .to = at[1] >> 3 & 7, .with = at[2]};
        do_step(sc, &st);
        if (!sc->dead) is_as_told(sc);
    }
    s2s_stream_free(sc->stream);
    free(sc);
    return 0;
}
