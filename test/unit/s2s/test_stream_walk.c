/* Real streams walked breadth first: from every state that can be told apart, every word the peer
 * or our caller can say, until nothing new appears. What the tables promise is looked for in the
 * events and in the bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "stream_end.h"
#include "stream_priv.h"

#define NO_TEXT ((s2s_span){NULL, 0})

/* ---- words ---- */

typedef struct word {
    const char *text;           /* fed, or NULL */
    void (*act)(s2s_stream *s); /* done by our caller, or NULL */
} word;

static s2s_domain a_domain, b_domain, c_domain;

static void close_ok(s2s_stream *s)
{
    s2s_stream_close(s, S2S_E_OK, NO_TEXT);
}

static void close_idle(s2s_stream *s)
{
    s2s_stream_close(s, S2S_E_RESOURCE, NO_TEXT);
}

static void want_head_pair(s2s_stream *s)
{
    (void)!s2s_stream_want_pair(s, &a_domain, &b_domain);
}

static void want_other_pair(s2s_stream *s)
{
    (void)!s2s_stream_want_pair(s, &c_domain, &b_domain);
}

static void drop_head_pair(s2s_stream *s)
{
    s2s_stream_drop_pair(s, &a_domain, &b_domain);
}

static void ask(s2s_stream *s)
{
    if (s->n_questions == 0)
        (void)!s2s_stream_ask_verify(s, &a_domain, &b_domain, S2S_LIT("7"), S2S_LIT("th3ir"));
}

static void give_key(s2s_stream *s)
{
    s2s_stream_give_key(s, &a_domain, &b_domain, S2S_LIT("k3y"));
    s2s_stream_give_key(s, &c_domain, &b_domain, S2S_LIT("k3y"));
}

static void tls_done(s2s_stream *s)
{
    s2s_stream_tls_done(s);
}

static void hello(s2s_stream *s)
{
    s2s_stream_hello(s);
}

static void open_back(s2s_stream *s)
{
    bool receiving = s->config.role == S2S_RECEIVING;
    bool proved = s2s_stream_bidi(s) && s2s_stream_pair_open(s, &a_domain, &b_domain);
    s2s_err err = s2s_stream_open_back(s, &b_domain, &a_domain, S2S_PROOF_CERTIFICATE);
    assert_int_equal(err, proved ? S2S_E_OK : S2S_E_NOT_PROVED);
    if (!proved) return;
    assert_true(receiving ? s2s_stream_sends(s, &b_domain, &a_domain)
                          : s2s_stream_takes(s, &b_domain, &a_domain));
}

static void send_back(s2s_stream *s)
{
    bool open = s2s_stream_sends(s, &b_domain, &a_domain);
    s2s_err err = s2s_stream_send(s, &b_domain, &a_domain, S2S_LIT("<message id='back'/>"));
    if (!open || s->expect != S2S_EXPECT_STANZA) assert_int_equal(err, S2S_E_NOT_PROVED);
}

static void answer_back_valid(s2s_stream *s)
{
    s2s_stream_answer_result(s, &b_domain, &a_domain, S2S_VALID, NULL, S2S_PROOF_DIALBACK);
}

static void answer_back_invalid(s2s_stream *s)
{
    s2s_stream_answer_result(s, &b_domain, &a_domain, S2S_INVALID, NULL, S2S_PROOF_NONE);
}

static void send_stanza(s2s_stream *s)
{
    bool open = s2s_stream_pair_open(s, &a_domain, &b_domain);
    s2s_err err = s2s_stream_send(s, &a_domain, &b_domain, S2S_LIT("<message/>"));
    if (!open) assert_int_equal(err, S2S_E_NOT_PROVED);
}

static void answer_result(s2s_stream *s, s2s_verdict v)
{
    s2s_stream_answer_result(s, &a_domain, &b_domain, v, "item-not-found", S2S_PROOF_DIALBACK);
}

static void answer_valid(s2s_stream *s)
{
    answer_result(s, S2S_VALID);
}

static void answer_invalid(s2s_stream *s)
{
    answer_result(s, S2S_INVALID);
}

static void answer_error(s2s_stream *s)
{
    answer_result(s, S2S_ERROR);
}

static void answer_other_valid(s2s_stream *s)
{
    s2s_stream_answer_result(s, &c_domain, &b_domain, S2S_VALID, NULL, S2S_PROOF_CERTIFICATE);
}

static void auth_yes(s2s_stream *s)
{
    s2s_stream_answer_auth(s, true, NULL);
}

static void auth_no(s2s_stream *s)
{
    s2s_stream_answer_auth(s, false, "not-authorized");
}

static void end_of_file(s2s_stream *s)
{
    s2s_stream_eof(s);
}

#define T(text)                                                                                    \
    {                                                                                              \
        text, NULL                                                                                 \
    }
#define A(act)                                                                                     \
    {                                                                                              \
        NULL, act                                                                                  \
    }
#define COMMON                                                                                     \
    T("<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"),        \
        T("</stream:stream>"), T("<broken"), T("<x xmlns='urn:x'/>"), T("<pubsub/>"), T(" "),      \
        T("<?pi?>"), T("text"), A(close_ok), A(close_idle), A(end_of_file), A(tls_done),           \
        T("<message from='a.example' to='b.example'/>"),                                           \
        T("<db:result from='a.example' to='b.example' type='valid'/>"),                            \
        T("<db:verify from='a.example' to='b.example' id='7' type='valid'/>"),                     \
        T("<db:result from='a.example' to='b.example'>k3y</db:result>"),                           \
        T("<db:verify from='a.example' to='b.example' id='7'>k3y</db:verify>")

static const word initiating_words[] = {
    COMMON,
    T(HEAD_BACK),
    T(HEAD_OF("from='b.example' id='r0'")),
    T(FEATURES(OFFER_TLS)),
    T(FEATURES(OFFER_EXTERNAL OFFER_DIALBACK)),
    T(FEATURES("")),
    T(PROCEED),
    T(PROCEED "<x/>"),
    T("<failure xmlns='" NS_TLS "'/>"),
    T("<success xmlns='" NS_SASL "'/>"),
    T("<challenge xmlns='" NS_SASL "'/>"),
    T("<failure xmlns='" NS_SASL "'><not-authorized/></failure>"),
    T("<db:result from='b.example' to='a.example' type='valid'/>"),
    T("<db:result from='b.example' to='a.example' type='invalid'/>"),
    T("<db:result from='b.example' to='c.example' type='error'/>"),
    T("<db:verify from='b.example' to='a.example' id='7' type='valid'/>"),
    A(want_head_pair),
    A(want_other_pair),
    A(drop_head_pair),
    A(ask),
    A(give_key),
    A(send_stanza),
};

static const word receiving_words[] = {
    COMMON,
    T(HEAD_AB),
    T(HEAD_OF("from='a.example' to='b.example'")),
    T(HEAD_OF("from='c.example' to='b.example' version='1.0'")),
    T(STARTTLS),
    T(STARTTLS "<x/>"),
    T("<auth xmlns='" NS_SASL "' mechanism='EXTERNAL'>=</auth>"),
    T("<auth xmlns='" NS_SASL "' mechanism='EXTERNAL'/>"),
    T("<auth xmlns='" NS_SASL "' mechanism='PLAIN'>AA==</auth>"),
    T("<response xmlns='" NS_SASL "'>=</response>"),
    T("<abort xmlns='" NS_SASL "'/>"),
    T("<db:result from='c.example' to='b.example'>k3y</db:result>"),
    T("<message from='c.example' to='b.example'/>"),
    T("<message from='a.example' to='d.example'/>"),
    A(answer_valid),
    A(answer_invalid),
    A(answer_error),
    A(answer_other_valid),
    A(auth_yes),
    A(auth_no),
    A(hello),
};

/* What matters where stanzas may go both ways; the rest is as on other streams. */
static const word initiating_bidi_words[] = {
    T(HEAD_BACK),
    T(FEATURES(OFFER_TLS OFFER_BIDI)),
    T(FEATURES(OFFER_BIDI OFFER_DIALBACK)),
    T(FEATURES(OFFER_BIDI OFFER_EXTERNAL OFFER_DIALBACK)),
    T(PROCEED),
    A(tls_done),
    T(BIDI),
    T("<success xmlns='" NS_SASL "'/>"),
    T("<failure xmlns='" NS_SASL "'><not-authorized/></failure>"),
    T("<message from='b.example' to='a.example'/>"),
    T("<message from='a.example' to='b.example'/>"),
    T("<db:result from='b.example' to='a.example'>k3y</db:result>"),
    T("<db:verify from='b.example' to='a.example' id='7'>k3y</db:verify>"),
    T("<db:result from='b.example' to='a.example' type='valid'/>"),
    T("<db:result from='b.example' to='a.example' type='invalid'/>"),
    T("<db:result from='a.example' to='b.example' type='valid'/>"),
    T("</stream:stream>"),
    A(want_head_pair),
    A(want_other_pair),
    A(give_key),
    A(open_back),
    A(answer_back_valid),
    A(answer_back_invalid),
    A(send_stanza),
    A(close_ok),
};

static const word receiving_bidi_words[] = {
    T(HEAD_AB),
    T(STARTTLS),
    T(BIDI),
    T("<auth xmlns='" NS_SASL "' mechanism='EXTERNAL'>=</auth>"),
    T("<db:result from='a.example' to='b.example'>k3y</db:result>"),
    T("<db:result from='c.example' to='b.example'>k3y</db:result>"),
    T("<db:result from='a.example' to='b.example' type='valid'/>"),
    T("<message from='a.example' to='b.example'/>"),
    T("<message from='c.example' to='b.example'/>"),
    T("</stream:stream>"),
    A(tls_done),
    A(answer_valid),
    A(answer_invalid),
    A(answer_other_valid),
    A(auth_yes),
    A(auth_no),
    A(open_back),
    A(send_back),
    A(close_ok),
};

/* ---- one end under watch ---- */

typedef struct watch {
    s2s_stream *stream;
    s2s_role role;
    s2s_answer answer;
    s2s_tls_level level;
    bool open_ab; /* told so by PAIR_OPEN */
    bool open_cb;
    bool dead;
    bool closed;
    unsigned readies;
    s2s_buf wrote;
} watch;

enum { MAX_DEPTH = 40 };

/* A way to a state: the words said, by number. */
typedef struct way {
    uint8_t words[MAX_DEPTH];
    uint8_t len;
    char state[192]; /* what tells it from others */
    uint32_t hash;   /* of it */
} way;

typedef struct plan {
    s2s_stream_config config;
    s2s_answer answer;
    const word *words;
    size_t n_words;
} plan;

static bool has(const watch *w, const char *part)
{
    s2s_span all = s2s_buf_span(&w->wrote);
    return all.len > 0 && memmem(all.ptr, all.len, part, strlen(part)) != NULL;
}

/* Bytes written in clear where TLS is required: nothing that proves who we are. */
static void check_clear_bytes(const watch *w)
{
    if (w->level != S2S_TLS_REQUIRED || s2s_stream_in_tls(w->stream)) return;
    assert_false(has(w, "k3y"));
    assert_false(has(w, "th3ir"));
    assert_false(has(w, "<auth"));
    assert_false(has(w, "<response"));
    assert_false(has(w, "type='valid'"));
    assert_false(has(w, "<success"));
    assert_false(has(w, "urn:xmpp:bidi"));
    assert_false(has(w, "urn:xmpp:features:bidi"));
}

static void take_bytes(watch *w)
{
    s2s_span out = s2s_stream_out(w->stream);
    assert_int_equal(s2s_buf_put(&w->wrote, out), S2S_E_OK);
    s2s_stream_sent(w->stream, out.len);
    check_clear_bytes(w);
}

static void check_event(watch *w, const s2s_event *ev)
{
    bool clear = w->level == S2S_TLS_REQUIRED && !s2s_stream_in_tls(w->stream);
    assert_false(w->dead);
    if (clear) {
        assert_int_not_equal(ev->kind, S2S_EV_AUTH);
        assert_int_not_equal(ev->kind, S2S_EV_PROVE);
        assert_int_not_equal(ev->kind, S2S_EV_CHECK_KEY);
        assert_int_not_equal(ev->kind, S2S_EV_MAKE_KEY);
        assert_int_not_equal(ev->kind, S2S_EV_PAIR_OPEN);
        assert_int_not_equal(ev->kind, S2S_EV_READY);
    }
    if (ev->kind == S2S_EV_PAIR_OPEN) {
        assert_int_not_equal(ev->proof, S2S_PROOF_NONE);
        if (s2s_domain_eq(&ev->from, &a_domain)) w->open_ab = true;
        if (s2s_domain_eq(&ev->from, &c_domain)) w->open_cb = true;
        assert_int_equal(ev->theirs,
                         w->role == S2S_RECEIVING || s2s_domain_eq(&ev->from, &b_domain));
    }
    if (ev->kind == S2S_EV_STANZA && w->role == S2S_INITIATING) {
        assert_true(s2s_stream_bidi(w->stream) && s2s_stream_in_tls(w->stream));
        assert_true(s2s_stream_takes(w->stream, &ev->from, &ev->to));
        assert_true(s2s_domain_eq(&ev->from, &b_domain) && s2s_domain_eq(&ev->to, &a_domain));
    } else if (ev->kind == S2S_EV_STANZA) {
        assert_true(s2s_domain_eq(&ev->to, &b_domain));
        assert_true(s2s_domain_eq(&ev->from, &a_domain) ? w->open_ab : w->open_cb);
    }
    if (ev->kind == S2S_EV_READY) w->readies++;
    assert_true(w->readies <= 1);
}

static void walk_events(watch *w)
{
    const s2s_event *ev;
    while ((ev = s2s_stream_next(w->stream))->kind != S2S_EV_NONE) {
        check_event(w, ev);
        take_bytes(w);
        if (ev->kind == S2S_EV_HEAD) s2s_stream_answer(w->stream, &w->answer);
        if (ev->kind == S2S_EV_CHECK_KEY)
            s2s_stream_answer_verify(w->stream, &ev->from, &ev->to, ev->id, S2S_INVALID, NULL);
        w->dead = w->dead || ev->kind == S2S_EV_DEAD;
        w->closed = w->closed || ev->kind == S2S_EV_CLOSED;
    }
    take_bytes(w);
}

/* A restart is a new stream: what was written before is looked at no more. */
static void forget_old_stream(watch *w, bool tls_before)
{
    if (tls_before != s2s_stream_in_tls(w->stream)) s2s_buf_clear(&w->wrote);
}

/* Whatever was written is a whole stream up to now: a header first, at the end the close tag. */
static void check_bytes_at_the_end(const watch *w)
{
    s2s_span all = s2s_buf_span(&w->wrote);
    if (has(w, "<stream:error>")) assert_true(has(w, "<stream:stream "));
    if (has(w, "<stream:error>") || w->closed) {
        assert_true(all.len > 16);
        assert_memory_equal(all.ptr + all.len - 16, "</stream:stream>", 16);
    }
}

static void say_word(watch *w, const word *said)
{
    bool in_tls = s2s_stream_in_tls(w->stream);
    if (said->text != NULL)
        s2s_stream_feed(w->stream, s2s_span_of(said->text));
    else
        said->act(w->stream);
    forget_old_stream(w, in_tls);
    walk_events(w);
    if (w->dead || w->closed) check_bytes_at_the_end(w);
    (void)s2s_stream_state(w->stream); /* asserts a defined state */
}

/* What can be told apart: more of it only repeats. */
static void describe(const watch *w, char *text, size_t size)
{
    const s2s_stream *s = w->stream;
    unsigned pairs[6];
    for (int i = 0; i < 6; i++) {
        s2s_pair_state of = (s2s_pair_state)i;
        unsigned both = s2s_pairs_in(s->ours, of) + s2s_pairs_in(s->theirs, of);
        pairs[i] = both > 2 ? 2 : both;
    }
    snprintf(text, size,
             "%s tls%d sasl%d v%d half%d pairs%u%u%u%u%u%u fail%u uns%u q%u s%u ch%d fd%d"
             " sf%d dd%d ab%d cb%d eof%d bidi%d%d back%u%u",
             s2s_stream_state(s), s->in_tls, s->after_sasl, s->head.version_1,
             s2s_stream_half_stanza(s), pairs[0], pairs[1], pairs[2], pairs[3], pairs[4], pairs[5],
             s->sasl_failures, s->unsolicited > 0, s->n_questions, s->n_sent, s->challenged,
             s->features.starttls, s->sasl_failed, s->dialback_declared, w->open_ab, w->open_cb,
             s->eof, s->bidi, s->features.bidi,
             s2s_pairs_in(s->config.role == S2S_RECEIVING ? s->ours : s->theirs, S2S_PAIR_OPEN),
             s2s_pairs_in(s->theirs, S2S_PAIR_ASKED));
}

static watch begin(const plan *p)
{
    watch w = {.role = p->config.role, .answer = p->answer};
    w.level = w.role == S2S_INITIATING ? p->config.tls : p->answer.tls;
    w.stream = s2s_stream_new(&p->config);
    assert_non_null(w.stream);
    s2s_buf_init(&w.wrote, 0);
    take_bytes(&w);
    return w;
}

static uint32_t hash_of(const char *text)
{
    uint32_t hash = 2166136261U;
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619U;
    return hash;
}

/* Goes a way, says one word more (or none: n_words) and tells where that leads. */
static bool go(const plan *p, const way *from, size_t next, way *out)
{
    watch w = begin(p);
    *out = *from;
    for (size_t i = 0; i < from->len; i++)
        say_word(&w, &p->words[from->words[i]]);
    if (next < p->n_words) {
        say_word(&w, &p->words[next]);
        out->words[out->len++] = (uint8_t)next;
    }
    describe(&w, out->state, sizeof out->state);
    out->hash = hash_of(out->state);
    /* Behind half an element every further one is bad XML: nothing new lies there. */
    bool over = w.dead || w.closed || s2s_xml_in_element(w.stream->xml);
    s2s_stream_free(w.stream);
    s2s_buf_fini(&w.wrote);
    return !over && out->len < MAX_DEPTH;
}

/* ---- the walk ---- */

typedef struct ways {
    way *all;
    size_t count;
    size_t size;
} ways;

static bool is_known(const ways *known, const way *w)
{
    for (size_t i = 0; i < known->count; i++)
        if (known->all[i].hash == w->hash && strcmp(known->all[i].state, w->state) == 0)
            return true;
    return false;
}

static void add(ways *known, const way *w)
{
    if (known->count == known->size) {
        known->size = known->size == 0 ? 64 : 2 * known->size;
        known->all = realloc(known->all, known->size * sizeof *known->all);
        assert_non_null(known->all);
    }
    known->all[known->count++] = *w;
}

/* In clear there is nothing but waiting for TLS. */
static void assert_clear_only_waits(const ways *known)
{
    size_t n = 0;
    for (size_t i = 0; i < known->count; i++) {
        if (strstr(known->all[i].state, " tls0 ") == NULL) continue;
        assert_memory_equal(known->all[i].state, "EXPECT_TLS ", 11);
        n++;
    }
    assert_true(n > 0 && n < known->count);
}

static size_t walk(const plan *p)
{
    ways known = {NULL, 0, 0};
    way start = {.len = 0}, next;
    size_t said = 0;
    if (go(p, &start, p->n_words, &next)) add(&known, &next);
    for (size_t i = 0; i < known.count; i++) {
        for (size_t n = 0; n < p->n_words; n++, said++) {
            way from = known.all[i];
            if (go(p, &from, n, &next) && !is_known(&known, &next)) add(&known, &next);
        }
    }
    print_message("# %zu states, %zu steps\n", known.count, said);
    if (p->config.direct_tls) assert_clear_only_waits(&known);
    size_t count = known.count;
    free(known.all);
    return count;
}

static void walk_both_ways(s2s_tls_level level)
{
    plan out = {.config = config_of(S2S_INITIATING),
                .words = initiating_bidi_words,
                .n_words = sizeof initiating_bidi_words / sizeof initiating_bidi_words[0]};
    plan in = {.config = config_of(S2S_RECEIVING),
               .words = receiving_bidi_words,
               .n_words = sizeof receiving_bidi_words / sizeof receiving_bidi_words[0]};
    out.config.tls = level;
    out.config.try_bidi = true;
    in.answer = (s2s_answer){.as = b_domain,
                             .id = S2S_LIT("i1"),
                             .tls = level,
                             .offer_external = true,
                             .offer_dialback = true,
                             .offer_bidi = true};
    assert_true(walk(&out) >= 100);
    assert_true(walk(&in) >= 50);
}

static void walk_initiating(s2s_tls_level level, bool external, bool dialback, size_t least)
{
    plan p = {.config = config_of(S2S_INITIATING),
              .words = initiating_words,
              .n_words = sizeof initiating_words / sizeof initiating_words[0]};
    p.config.tls = level;
    p.config.try_external = external;
    p.config.allow_dialback = dialback;
    assert_true(walk(&p) >= least);
}

static void walk_receiving(s2s_tls_level level, bool external)
{
    plan p = {.config = config_of(S2S_RECEIVING),
              .words = receiving_words,
              .n_words = sizeof receiving_words / sizeof receiving_words[0]};
    p.answer = (s2s_answer){.as = b_domain,
                            .id = S2S_LIT("i1"),
                            .tls = level,
                            .offer_external = external,
                            .offer_dialback = true};
    assert_true(walk(&p) >= 20);
}

static void initiating_tls_required(void **state)
{
    (void)state;
    walk_initiating(S2S_TLS_REQUIRED, true, true, 50);
    walk_initiating(S2S_TLS_REQUIRED, false, true, 50);
    walk_initiating(S2S_TLS_REQUIRED, true, false, 20);
}

static void initiating_tls_optional_and_none(void **state)
{
    (void)state;
    walk_initiating(S2S_TLS_OPTIONAL, true, true, 50);
    walk_initiating(S2S_TLS_NONE, true, true, 20);
}

static void receiving_tls_required(void **state)
{
    (void)state;
    walk_receiving(S2S_TLS_REQUIRED, true);
    walk_receiving(S2S_TLS_REQUIRED, false);
}

static void receiving_tls_optional_and_none(void **state)
{
    (void)state;
    walk_receiving(S2S_TLS_OPTIONAL, true);
    walk_receiving(S2S_TLS_NONE, true);
}

/* Under direct TLS nothing at all happens in clear, and the rest is as after STARTTLS. */
static void direct_tls(void **state)
{
    (void)state;
    plan out = {.config = config_of(S2S_INITIATING),
                .words = initiating_words,
                .n_words = sizeof initiating_words / sizeof initiating_words[0]};
    plan in = {.config = config_of(S2S_RECEIVING),
               .words = receiving_words,
               .n_words = sizeof receiving_words / sizeof receiving_words[0]};
    out.config.direct_tls = in.config.direct_tls = true;
    in.answer = (s2s_answer){.as = b_domain,
                             .id = S2S_LIT("i1"),
                             .tls = S2S_TLS_REQUIRED,
                             .offer_external = true,
                             .offer_dialback = true};
    assert_true(walk(&out) >= 30);
    assert_true(walk(&in) >= 15);
    in.answer.tls = S2S_TLS_NONE; /* whoever asks for none has it all the same */
    assert_true(walk(&in) >= 15);
}

static void both_ways_tls_required(void **state)
{
    (void)state;
    walk_both_ways(S2S_TLS_REQUIRED);
}

static void both_ways_tls_optional(void **state)
{
    (void)state;
    walk_both_ways(S2S_TLS_OPTIONAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initiating_tls_required),
        cmocka_unit_test(initiating_tls_optional_and_none),
        cmocka_unit_test(receiving_tls_required),
        cmocka_unit_test(receiving_tls_optional_and_none),
        cmocka_unit_test(direct_tls),
        cmocka_unit_test(both_ways_tls_required),
        cmocka_unit_test(both_ways_tls_optional),
    };
    a_domain = domain("a.example");
    b_domain = domain("b.example");
    c_domain = domain("c.example");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
