/* Bidirectional streams (XEP-0288): stanzas of both sides on one connection. */
#include <stdlib.h>

#include "stream_priv.h"

/* ---- features ---- */

void s2s_bidi_read_feature(s2s_features *f, const s2s_xml_child *child)
{
    if (child->depth == 1 && s2s_span_is(child->ns, S2S_NS_BIDI_FEATURE) &&
        s2s_span_is(child->name, "bidi"))
        f->bidi = true;
}

void s2s_bidi_write_feature(s2s_stream *s)
{
    if (!s->in_tls || !s->offer_bidi || s->after_sasl) return;
    s2s_out_text(s, "<bidi xmlns='" S2S_NS_BIDI_FEATURE "'/>");
}

/* ---- agreeing on it ---- */

void s2s_stream_try_bidi(s2s_stream *s, bool yes)
{
    S2S_ASSERT(s->config.role == S2S_INITIATING);
    s->config.try_bidi = yes;
}

static s2s_pairs **back_of(s2s_stream *s)
{
    return s->config.role == S2S_RECEIVING ? &s->ours : &s->theirs;
}

static void agree(s2s_stream *s)
{
    s2s_pairs **back = back_of(s);
    S2S_ASSERT(s->in_tls);
    s->bidi = true;
    if (*back != NULL) return; /* said twice */
    *back = malloc(sizeof **back);
    if (*back != NULL)
        s2s_pairs_init(*back, s->config.max_pairs, s->natural.seed);
    else
        s2s_stream_die(s, S2S_E_NOMEM);
}

void s2s_bidi_fini(s2s_stream *s)
{
    s2s_pairs **back = back_of(s);
    if (*back == NULL) return;
    s2s_pairs_fini(*back);
    free(*back);
    *back = NULL;
}

void s2s_stream_say_limits(s2s_stream *s, uint32_t max_bytes, uint32_t idle_seconds)
{
    S2S_ASSERT(s->config.role == S2S_INITIATING);
    s->max_bytes = max_bytes;
    s->idle_seconds = idle_seconds;
}

/* No answer exists (2.2): what proves us follows at once. */
void s2s_bidi_ask(s2s_stream *s, const s2s_input *in)
{
    bool limits = s->max_bytes != 0 || s->idle_seconds != 0; /* XEP-0478 */
    s2s_out_text(s, "<bidi xmlns='" S2S_NS_BIDI "'");
    s2s_out_text(s, limits ? ">" : "/>");
    s2s_limits_write_feature(s);
    if (limits) s2s_out_text(s, "</bidi>");
    agree(s);
    s2s_head_ready(s, in);
}

void s2s_bidi_take(s2s_stream *s, const s2s_input *in)
{
    for (size_t i = 0; i < in->item->n_children; i++)
        s2s_limits_read_feature(&s->features, &in->item->children[i]);
    s2s_limits_keep(s);
    agree(s);
}

bool s2s_stream_bidi(const s2s_stream *s)
{
    return s->bidi;
}

/* ---- the way back ---- */

/* A receiving stream that had only answers to give has stanzas from now on, and room for the longest beside them. */
static void widen(s2s_stream *s)
{
    if (s->config.role == S2S_RECEIVING && s->ours->states[S2S_PAIR_OPEN] == 0)
        s->config.max_out += s->config.open.stanza + S2S_OUT_SLACK;
}

s2s_err s2s_stream_open_back(s2s_stream *s, const s2s_domain *from, const s2s_domain *to,
                             s2s_proof proof)
{
    s2s_pairs *back = *back_of(s);
    s2s_pair *pair;
    S2S_ASSERT(proof != S2S_PROOF_NONE);
    if (!s->bidi || !s2s_stream_pair_open(s, to, from)) return S2S_E_NOT_PROVED;
    s2s_err err = s2s_pairs_get(back, from, to, &pair);
    if (err != S2S_E_OK || pair->state == S2S_PAIR_OPEN) return err;
    widen(s);
    /* They gave a key for it, which need not be looked at any more. */
    if (pair->state == S2S_PAIR_ASKED && s2s_stream_can_write(s)) s2s_dialback_put_valid(s, pair);
    pair->proof = proof;
    s2s_pair_enter(back, pair, S2S_PAIR_OPEN);
    return S2S_E_OK;
}
