/* Dialback of the initiating role: keys of our pairs, questions for others (XEP-0220 2.1, 2.2.1),
 * and what both roles share. */
#include <stdlib.h>
#include <string.h>

#include "stream_priv.h"

/* ---- features ---- */

void s2s_dialback_read_feature(s2s_features *f, const s2s_xml_child *child)
{
    if (!s2s_span_is(child->ns, S2S_NS_DB_FEATURE)) return;
    if (child->depth == 1 && s2s_span_is(child->name, "dialback")) f->dialback = true;
    if (child->depth == 2 && s2s_span_is(child->name, "errors")) f->dialback_errors = true;
}

void s2s_dialback_write_feature(s2s_stream *s)
{
    if (!s->offer_dialback) return;
    s2s_out_text(s, "<dialback xmlns='" S2S_NS_DB_FEATURE "'><errors/></dialback>");
}

/* ---- elements, both roles ---- */

/* Opens the start tag; the caller ends it. */
void s2s_dialback_put(s2s_stream *s, const char *name, s2s_span from, s2s_span to)
{
    s2s_out_text(s, "<db:");
    s2s_out_text(s, name);
    s2s_out_attr(s, "from", from);
    s2s_out_attr(s, "to", to);
}

void s2s_dialback_put_pair(s2s_stream *s, const char *name, const s2s_domain *from,
                           const s2s_domain *to)
{
    char from_text[S2S_DOMAIN_WIRE_MAX + 1], to_text[S2S_DOMAIN_WIRE_MAX + 1];
    s2s_dialback_put(s, name, s2s_domain_wire(from, from_text), s2s_domain_wire(to, to_text));
}

static s2s_span trim(s2s_span text)
{
    while (text.len > 0 && s2s_only_space((s2s_span){text.ptr, 1}))
        text = (s2s_span){text.ptr + 1, text.len - 1};
    while (text.len > 0 && s2s_only_space((s2s_span){text.ptr + text.len - 1, 1}))
        text.len--;
    return text;
}

/* An unknown type proves nothing: it counts as an error. */
static s2s_verdict verdict_of(s2s_span type)
{
    if (s2s_span_is(type, "valid")) return S2S_VALID;
    return s2s_span_is(type, "invalid") ? S2S_INVALID : S2S_ERROR;
}

static s2s_question *find_question(const s2s_stream *s, const s2s_input *in)
{
    for (s2s_question *q = s->questions; q != NULL; q = q->next)
        if (q->sent && s2s_span_eq(q->id, in->id) && s2s_domain_eq(&q->from, &in->to.domain) &&
            s2s_domain_eq(&q->to, &in->from.domain))
            return q;
    return NULL;
}

/* An answer counts only for what was asked on this very stream: pair and id must fit, and the
 * answer's from is our question's to. */
static void read_answer(s2s_stream *s, s2s_input *in, bool verify)
{
    in->brings = verify ? S2S_BRINGS_VERIFY_ANSWER : S2S_BRINGS_RESULT_ANSWER;
    in->verdict = verdict_of(in->type);
    in->cond =
        in->verdict == S2S_ERROR ? s2s_condition_of(in->item, 2, S2S_NS_STANZA_ERRORS) : NULL;
    if (s->config.role != S2S_INITIATING) return;
    if ((in->facts & S2S_HAS(FROM_GIVEN)) == 0 || (in->facts & S2S_HAS(TO_VALID)) == 0) return;
    if (verify) {
        in->question = find_question(s, in);
        if (in->question != NULL) in->facts |= S2S_HAS(ANSWER_OURS);
        return;
    }
    in->pair = s2s_pairs_find(s->ours, &in->to.domain, &in->from.domain);
    if (in->pair == NULL || in->pair->owed == 0) return;
    in->facts |= in->pair->state == S2S_PAIR_ASKED ? S2S_HAS(ANSWER_OURS) : S2S_HAS(ANSWER_LATE);
}

static void read_request(s2s_stream *s, s2s_input *in, bool verify)
{
    in->key = trim(in->item->text);
    bool id_fits = !verify || (in->id.len > 0 && in->id.len <= S2S_JID_PART_MAX);
    if (in->key.len > 0 && in->key.len <= S2S_KEY_MAX && id_fits) in->facts |= S2S_HAS(KEY_FITS);
    if (verify) return;
    in->pair = s2s_pairs_find(s->theirs, &in->from.domain, &in->to.domain);
    if (in->pair == NULL) return;
    if (in->pair->state == S2S_PAIR_OPEN) in->facts |= S2S_HAS(PAIR_OPEN);
    if (in->pair->state == S2S_PAIR_ASKED) in->facts |= S2S_HAS(PAIR_ASKED);
}

void s2s_dialback_read(s2s_stream *s, s2s_input *in)
{
    bool verify = in->brings == S2S_BRINGS_VERIFY;

    in->raw_from = s2s_attr_find(in->item, NULL, "from");
    in->raw_to = s2s_attr_find(in->item, NULL, "to");
    in->id = s2s_attr_find(in->item, NULL, "id");
    in->type = s2s_attr_find(in->item, NULL, "type");
    if (s2s_domain_make(in->raw_from, &in->from.domain) == S2S_E_OK)
        in->facts |= S2S_HAS(FROM_GIVEN);
    if (in->raw_to.len > 0) in->facts |= S2S_HAS(TO_GIVEN);
    if (s2s_domain_make(in->raw_to, &in->to.domain) == S2S_E_OK) in->facts |= S2S_HAS(TO_VALID);
    if (in->type.ptr != NULL)
        read_answer(s, in, verify);
    else
        read_request(s, in, verify);
}

void s2s_dialback_unsolicited(s2s_stream *s, const s2s_input *in)
{
    s->unsolicited++;
    s2s_event *ev = s2s_stream_tell(s, S2S_EV_NOTE);
    ev->err = S2S_E_DIALBACK_UNSOLICITED;
    ev->from = in->from.domain;
    ev->to = in->to.domain;
}

/* ---- pairs, initiating ---- */

void s2s_pair_opened(s2s_stream *s, s2s_pairs *of, s2s_pair *pair, s2s_proof proof)
{
    pair->proof = proof;
    s2s_pair_enter(of, pair, S2S_PAIR_OPEN);
    s2s_pair_owe(of, pair, S2S_EV_PAIR_OPEN);
    if (of == s->ours && s->config.role == S2S_INITIATING) s2s_sm_want(s);
    if (!s->limits_open) s2s_xml_set_limits(s->xml, &s->config.open);
    s->limits_open = true;
}

void s2s_pair_refused(s2s_stream *s, s2s_pair *pair, s2s_err err, const char *cond)
{
    pair->err = err;
    pair->cond = cond;
    s2s_pair_enter(s->ours, pair, S2S_PAIR_GONE);
    s2s_pair_owe(s->ours, pair, S2S_EV_PAIR_REFUSED);
}

static bool is_head_pair(const s2s_stream *s, const s2s_pair *pair)
{
    return s2s_domain_eq(&pair->from, &s->config.from) && s2s_domain_eq(&pair->to, &s->config.to);
}

static void pump_pair(s2s_stream *s, s2s_pair *pair)
{
    s2s_input in = {.brings = S2S_BRINGS_WANT_PAIR, .pair = pair};
    if (is_head_pair(s, pair)) in.facts |= S2S_HAS(HEAD_PAIR);
    s2s_handshake_step(s, &in);
}

static void pump_questions(s2s_stream *s)
{
    for (s2s_question *q = s->questions; q != NULL && s->expect == S2S_EXPECT_DIALBACK;
         q = q->next) {
        if (q->sent) continue;
        s2s_input in = {.brings = S2S_BRINGS_QUESTION, .question = q};
        s2s_handshake_step(s, &in);
    }
}

/* The pair of the header first: if it takes SASL, the others wait for the new stream; and if it
 * waits for answers before SASL, nothing new is asked meanwhile. */
void s2s_pairs_pump(s2s_stream *s)
{
    if (s->ours->states[S2S_PAIR_WANTED] > 0) {
        s2s_pair *head = s2s_pairs_find(s->ours, &s->config.from, &s->config.to);
        if (head != NULL && head->state == S2S_PAIR_WANTED) {
            pump_pair(s, head);
            if (s->expect != S2S_EXPECT_DIALBACK || head->state == S2S_PAIR_WANTED) return;
        }
    }
    if (s->ours->states[S2S_PAIR_WANTED] > 0)
        for (s2s_pair *p = s->ours->first; p != NULL && s->expect == S2S_EXPECT_DIALBACK;
             p = p->next)
            if (p->state == S2S_PAIR_WANTED) pump_pair(s, p);
    pump_questions(s);
}

static bool is_ending(const s2s_stream *s)
{
    return s->expect == S2S_EXPECT_CLOSE || s->expect == S2S_CLOSED || s->expect == S2S_DEAD;
}

s2s_err s2s_stream_want_pair(s2s_stream *s, const s2s_domain *from, const s2s_domain *to)
{
    s2s_pair *pair;
    S2S_ASSERT(s->config.role == S2S_INITIATING);
    if (is_ending(s)) return S2S_E_PEER_CLOSED;
    s2s_err err = s2s_pairs_get(s->ours, from, to, &pair);
    if (err != S2S_E_OK) return err;
    if (pair->state == S2S_PAIR_GONE && pair->due == S2S_EV_NONE)
        s2s_pair_enter(s->ours, pair, S2S_PAIR_WANTED);
    if (s->expect == S2S_EXPECT_DIALBACK) s2s_pairs_pump(s);
    return S2S_E_OK;
}

void s2s_stream_drop_pair(s2s_stream *s, const s2s_domain *from, const s2s_domain *to)
{
    s2s_pair *pair = s2s_pairs_find(s->ours, from, to);
    if (pair == NULL || pair->state == S2S_PAIR_OPEN) return;
    s2s_pair_drop_due(s->ours, pair);
    s2s_pair_enter(s->ours, pair, S2S_PAIR_GONE);
    s2s_pair_release(s->ours, pair); /* stays while its answer may come: that one is no attack */
    if (s->expect == S2S_EXPECT_DIALBACK) s2s_pairs_pump(s);
}

void s2s_dialback_make_key(s2s_stream *s, const s2s_input *in)
{
    s2s_pair_enter(s->ours, in->pair, S2S_PAIR_KEY);
    s2s_pair_owe(s->ours, in->pair, S2S_EV_MAKE_KEY);
}

void s2s_dialback_no_proof(s2s_stream *s, const s2s_input *in)
{
    s2s_pair_refused(s, in->pair, S2S_E_NO_PROOF_OFFERED, NULL);
}

void s2s_stream_give_key(s2s_stream *s, const s2s_domain *from, const s2s_domain *to, s2s_span key)
{
    s2s_input in = {.brings = S2S_BRINGS_KEY, .key = key};
    in.pair = s2s_pairs_find(s->ours, from, to);
    if (in.pair == NULL || in.pair->state != S2S_PAIR_KEY || in.pair->due != S2S_EV_NONE) return;
    if (s->expect == S2S_EXPECT_DIALBACK) s2s_handshake_step(s, &in);
}

void s2s_dialback_send_key(s2s_stream *s, const s2s_input *in)
{
    S2S_ASSERT(s->in_tls || s->tls != S2S_TLS_REQUIRED);
    s2s_pair_enter(s->ours, in->pair, S2S_PAIR_ASKED);
    in->pair->owed++;
    s2s_dialback_put_pair(s, "result", &in->pair->from, &in->pair->to);
    s2s_out_text(s, ">");
    s2s_out_escaped(s, in->key);
    s2s_out_text(s, "</db:result>");
}

void s2s_dialback_take_result(s2s_stream *s, const s2s_input *in)
{
    in->pair->owed--;
    switch (in->verdict) {
    case S2S_VALID: s2s_pair_opened(s, s->ours, in->pair, S2S_PROOF_DIALBACK); return;
    case S2S_INVALID: s2s_pair_refused(s, in->pair, S2S_E_DIALBACK_INVALID, NULL); return;
    case S2S_ERROR: s2s_pair_refused(s, in->pair, S2S_E_DIALBACK_ERROR, in->cond); return;
    }
}

/* The answer to a question that was given up: too late, but no attack. */
void s2s_dialback_forget(s2s_stream *s, const s2s_input *in)
{
    in->pair->owed--;
    s2s_pair_release(s->ours, in->pair);
    s2s_stream_note(s, S2S_E_DIALBACK_TIMEOUT);
}

/* ---- questions, initiating ---- */

static void question_free(s2s_stream *s, s2s_question *question)
{
    s2s_question **at = &s->questions;
    while (*at != question)
        at = &(*at)->next;
    *at = question->next;
    s->n_questions--;
    if (question->sent) s->n_sent--;
    free(question);
}

void s2s_questions_free(s2s_stream *s)
{
    while (s->questions != NULL)
        question_free(s, s->questions);
}

static s2s_question *question_new(const s2s_domain *from, const s2s_domain *to, s2s_span id,
                                  s2s_span key)
{
    s2s_question *q = calloc(1, sizeof *q + id.len + key.len);
    if (q == NULL) return NULL;
    q->from = *from;
    q->to = *to;
    if (id.len > 0) memcpy(q->text, id.ptr, id.len);
    if (key.len > 0) memcpy(q->text + id.len, key.ptr, key.len);
    q->id = (s2s_span){q->text, id.len};
    q->key = (s2s_span){q->text + id.len, key.len};
    return q;
}

s2s_err s2s_stream_ask_verify(s2s_stream *s, const s2s_domain *from, const s2s_domain *to,
                              s2s_span id, s2s_span key)
{
    S2S_ASSERT(s->config.role == S2S_INITIATING);
    if (is_ending(s)) return S2S_E_PEER_CLOSED;
    if (s->n_questions >= s->config.max_pairs) return S2S_E_PAIR_LIMIT;
    s2s_question *q = question_new(from, to, id, key);
    if (q == NULL) return S2S_E_NOMEM;
    s2s_question **last = &s->questions;
    while (*last != NULL)
        last = &(*last)->next;
    *last = q;
    s->n_questions++;
    if (s->expect == S2S_EXPECT_DIALBACK) s2s_pairs_pump(s);
    return S2S_E_OK;
}

void s2s_dialback_send_question(s2s_stream *s, const s2s_input *in)
{
    s2s_question *q = in->question;
    S2S_ASSERT(s->in_tls || s->tls != S2S_TLS_REQUIRED);
    q->sent = true;
    s->n_sent++;
    s2s_dialback_put_pair(s, "verify", &q->from, &q->to);
    s2s_out_attr(s, "id", q->id);
    s2s_out_text(s, ">");
    s2s_out_escaped(s, q->key);
    s2s_out_text(s, "</db:verify>");
}

void s2s_dialback_take_verify(s2s_stream *s, const s2s_input *in)
{
    s2s_event *ev = s2s_stream_tell(s, S2S_EV_VERIFY_ANSWER);
    ev->from = in->question->from;
    ev->to = in->question->to;
    ev->id = in->id;
    ev->verdict = in->verdict;
    ev->cond = s2s_span_of(in->cond);
    question_free(s, in->question);
    s2s_pairs_pump(s); /* the pair of the header may have waited for this */
}
