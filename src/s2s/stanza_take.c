/* A stanza that came: its addresses judged, itself written anew (RFC 6120 8.1). */
#include "stream_priv.h"

/* ---- facts ---- */

static s2s_kind kind_of(s2s_span name)
{
    if (s2s_span_is(name, "message")) return S2S_MESSAGE;
    return s2s_span_is(name, "iq") ? S2S_IQ : S2S_PRESENCE;
}

/* A bad part has a domain beside it all the same, so that the stanza can be routed, or answered. */
static bool has_domain(s2s_err err)
{
    return err == S2S_E_OK || err == S2S_E_JID_TOO_LONG || err == S2S_E_JID_SYNTAX;
}

static void read_pair(s2s_stream *s, s2s_input *in)
{
    in->pair = s2s_pairs_find(s->theirs, &in->from.domain, &in->to.domain);
    if (in->pair != NULL && in->pair->state == S2S_PAIR_OPEN)
        in->facts |= S2S_HAS(PAIR_OPEN) | S2S_HAS(FROM_PROVED);
    else if (s2s_pairs_prove(s->theirs, &in->from.domain))
        in->facts |= S2S_HAS(FROM_PROVED);
}

static bool iq_ok(const s2s_input *in)
{
    s2s_stanza st = {.kind = in->kind, .id = in->id, .type = in->type};
    return s2s_stanza_iq_ok(&st);
}

/* Of an attribute the stream writes itself; NULL: of no other. */
static s2s_span *place_of(s2s_input *in, const s2s_xml_attr *attr)
{
    if (attr->ns.len > 0) {
        bool is_lang = s2s_span_is(attr->name, "lang") && s2s_span_is(attr->ns, S2S_NS_XML);
        return is_lang ? &in->lang : NULL;
    }
    if (s2s_span_is(attr->name, "from")) return &in->raw_from;
    if (s2s_span_is(attr->name, "to")) return &in->raw_to;
    if (s2s_span_is(attr->name, "id")) return &in->id;
    return s2s_span_is(attr->name, "type") ? &in->type : NULL;
}

static void read_attributes(s2s_input *in)
{
    for (size_t i = 0; i < in->item->n_attrs; i++) {
        s2s_span *place = place_of(in, &in->item->attrs[i]);
        if (place != NULL) *place = in->item->attrs[i].value;
    }
}

void s2s_stanza_read(s2s_stream *s, s2s_input *in)
{
    in->kind = kind_of(in->item->name);
    if (s->config.role != S2S_RECEIVING && !s->bidi) return;
    read_attributes(in);
    s2s_err from_err = s2s_jid_parse(in->raw_from, &in->from);
    in->to_err = s2s_jid_parse(in->raw_to, &in->to);
    in->address = from_err != S2S_E_OK ? from_err : in->to_err;
    if (has_domain(from_err)) in->facts |= S2S_HAS(FROM_GIVEN);
    if (in->raw_to.len > 0) in->facts |= S2S_HAS(TO_GIVEN);
    if (has_domain(in->to_err)) in->facts |= S2S_HAS(TO_VALID);
    if (has_domain(from_err)) read_pair(s, in);
    if (iq_ok(in)) in->facts |= S2S_HAS(IQ_OK);
}

/* ---- written anew ---- */

typedef struct writer {
    s2s_buf *buf;
    s2s_err err; /* the first */
} writer;

static void put(writer *w, s2s_span bytes)
{
    if (w->err == S2S_E_OK) w->err = s2s_buf_put(w->buf, bytes);
}

/* Absent attributes are left out. */
static void put_attr(writer *w, s2s_span name, s2s_span value)
{
    if (value.ptr != NULL && w->err == S2S_E_OK) w->err = s2s_buf_put_attr(w->buf, name, value);
}

/* local@domain/resource with the canonical domain; where it lies in s->address is told by offset,
 * since the buffer may move. */
static void put_jid(writer *w, const s2s_jid *jid)
{
    char domain[S2S_DOMAIN_WIRE_MAX + 1];
    if (jid->local.ptr != NULL) {
        put(w, jid->local);
        put(w, S2S_LIT("@"));
    }
    put(w, s2s_domain_wire(&jid->domain, domain));
    if (jid->resource.ptr != NULL) {
        put(w, S2S_LIT("/"));
        put(w, jid->resource);
    }
}

static s2s_err write_addresses(s2s_stream *s, const s2s_input *in)
{
    writer w = {&s->address, S2S_E_OK};
    s2s_buf_clear(&s->address);
    put_jid(&w, &in->from);
    size_t middle = s2s_buf_span(&s->address).len;
    if (has_domain(in->to_err))
        put_jid(&w, &in->to);
    else
        put(&w, in->raw_to);
    s2s_span both = s2s_buf_span(&s->address);
    s->lent.from = (s2s_span){both.ptr, middle};
    s->lent.to = (s2s_span){both.ptr + middle, both.len - middle};
    return w.err;
}

static s2s_err write_stanza(s2s_stream *s, const s2s_input *in)
{
    writer w = {&s->stanza, S2S_E_OK};
    s2s_buf_clear(&s->stanza);
    put(&w, S2S_LIT("<"));
    put(&w, s2s_span_of(s2s_kind_name(in->kind)));
    put_attr(&w, S2S_LIT("from"), s->lent.from);
    put_attr(&w, S2S_LIT("to"), s->lent.to);
    put_attr(&w, S2S_LIT("type"), in->type);
    put_attr(&w, S2S_LIT("id"), in->id);
    put_attr(&w, S2S_LIT("xml:lang"), s->lent.lang);
    put(&w, in->item->other_attrs);
    put(&w, in->item->inside);
    s->lent.bytes = s2s_buf_span(&s->stanza);
    if (w.err == S2S_E_OK && s->lent.bytes.len > s->config.open.stanza) return S2S_E_STANZA_TOO_BIG;
    return w.err;
}

/* Lends the stanza in s->lent. False: the stream has ended over it. */
static bool lend(s2s_stream *s, const s2s_input *in)
{
    bool stamped = in->lang.ptr == NULL && s->lang_len > 0; /* 8.1.5: the stream's is the default */
    s->lent = (s2s_stanza){.kind = in->kind,
                           .from_domain = in->from.domain,
                           .id = in->id,
                           .type = in->type,
                           .lang = stamped ? (s2s_span){s->lang, s->lang_len} : in->lang};
    if (has_domain(in->to_err)) {
        s->lent.to_domain = in->to.domain;
        s->lent.address = in->address;
    }
    s2s_err err = write_addresses(s, in);
    if (err == S2S_E_OK) err = write_stanza(s, in);
    if (err != S2S_E_OK) s2s_stream_die(s, err);
    return err == S2S_E_OK;
}

void s2s_stanza_take(s2s_stream *s, const s2s_input *in)
{
    S2S_ASSERT(in->pair->state == S2S_PAIR_OPEN);
    if (!lend(s, in)) return;
    s2s_sm_count(s);
    s2s_event *ev = s2s_stream_tell(s, S2S_EV_STANZA);
    ev->from = in->from.domain;
    ev->to = in->to.domain;
    ev->proof = in->pair->proof;
    ev->stanza = &s->lent;
}

/* Harms no one but cannot be routed: our caller answers it. */
void s2s_stanza_refuse(s2s_stream *s, const s2s_input *in)
{
    if (!lend(s, in)) return;
    s2s_sm_count(s);
    s2s_event *ev = s2s_stream_tell(s, S2S_EV_STANZA_REFUSED);
    ev->err = has_domain(in->to_err) ? S2S_E_IQ_MALFORMED : in->to_err;
    ev->from = in->from.domain;
    ev->to = s->lent.to_domain;
    ev->stanza = &s->lent;
}
