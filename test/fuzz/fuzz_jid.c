/* fuzz_jid.c - any text as an address, alone and as that of a stanza.
 * For:    an address is cut in one place only, and what is routed by is what is written: whoever reads our stanza finds the
 *         parts that we found.
 * Never:  checks which domains are good (fuzz_domain, the unit tests).
 * Input:  the first byte's lowest bit: it is a stanza's `from`, else its `to`; then the address.  */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <s2s/buf.h>
#include <s2s/stream.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* ---- alone ---- */

/* The same cut once more, by the letter of RFC 7622 3.2: at the first '/', then at the first '@'. */
static s2s_span domain_in(s2s_span text)
{
    const char *slash = memchr(text.ptr, '/', text.len);
    if (slash != NULL) text.len = (size_t)(slash - text.ptr);
    const char *at = memchr(text.ptr, '@', text.len);
    if (at == NULL) return text;
    size_t skip = (size_t)(at - text.ptr) + 1;
    return (s2s_span){text.ptr + skip, text.len - skip};
}

static bool has_any_of(s2s_span part, const char *letters)
{
    for (size_t i = 0; i < part.len; i++)
        if ((unsigned char)part.ptr[i] < 0x20 || part.ptr[i] == 0x7f ||
            strchr(letters, part.ptr[i]) != NULL)
            return true;
    return false;
}

static bool has_parts(s2s_err err)
{
    return err == S2S_E_OK || err == S2S_E_JID_TOO_LONG || err == S2S_E_JID_SYNTAX;
}

static void put(s2s_buf *b, s2s_span text)
{
    S2S_ASSERT(s2s_buf_put(b, text) == S2S_E_OK);
}

/* The parts, put together with the domain as we know it, are the same address. */
static void comes_again(const s2s_jid *jid, s2s_err err)
{
    s2s_buf b;
    s2s_jid again;
    s2s_buf_init(&b, 0);
    if (jid->local.ptr != NULL) put(&b, jid->local);
    if (jid->local.ptr != NULL) put(&b, S2S_LIT("@"));
    put(&b, s2s_domain_span(&jid->domain));
    if (jid->resource.ptr != NULL) put(&b, S2S_LIT("/"));
    if (jid->resource.ptr != NULL) put(&b, jid->resource);
    S2S_ASSERT(s2s_jid_parse(s2s_buf_span(&b), &again) == err);
    S2S_ASSERT(s2s_domain_eq(&again.domain, &jid->domain));
    S2S_ASSERT(s2s_span_eq(again.local, jid->local) && s2s_span_eq(again.resource, jid->resource));
    s2s_buf_fini(&b);
}

static s2s_err alone(s2s_span text, s2s_jid *jid)
{
    s2s_domain domain;
    s2s_err err = s2s_jid_parse(text, jid);
    if (!has_parts(err)) return err;
    S2S_ASSERT(s2s_domain_make(domain_in(text), &domain) == S2S_E_OK);
    S2S_ASSERT(s2s_domain_eq(&domain, &jid->domain));
    S2S_ASSERT((jid->local.ptr == NULL) == (jid->local.len == 0));
    S2S_ASSERT((jid->resource.ptr == NULL) == (jid->resource.len == 0));
    comes_again(jid, err);
    if (err != S2S_E_OK) return err;
    S2S_ASSERT(jid->local.len <= S2S_JID_PART_MAX && jid->resource.len <= S2S_JID_PART_MAX);
    S2S_ASSERT(!has_any_of(jid->local, "\"&'/:<>@ ") && !has_any_of(jid->resource, ""));
    return err;
}

/* ---- in a stanza ---- */

static s2s_domain domain(const char *text)
{
    s2s_domain d;
    S2S_ASSERT(s2s_domain_make(s2s_span_of(text), &d) == S2S_E_OK);
    return d;
}

/* One on which a.example may write to b.example. */
static s2s_stream *stream_of_a(const s2s_domain *a, const s2s_domain *b)
{
    s2s_stream_config c;
    s2s_stream_config_init(&c, S2S_RECEIVING);
    s2s_stream *s = s2s_stream_new(&c);
    s2s_answer answer = {.as = *b, .id = S2S_LIT("1"), .tls = S2S_TLS_NONE};
    S2S_ASSERT(s != NULL);
    s2s_stream_feed(s, S2S_LIT("<stream:stream xmlns='jabber:server' "
                               "xmlns:stream='http://etherx.jabber.org/streams' "
                               "xmlns:db='jabber:server:dialback'>"));
    S2S_ASSERT(s2s_stream_next(s)->kind == S2S_EV_HEAD);
    s2s_stream_answer(s, &answer);
    s2s_stream_feed(s, S2S_LIT("<db:result from='a.example' to='b.example'>k</db:result>"));
    S2S_ASSERT(s2s_stream_next(s)->kind == S2S_EV_PROVE);
    s2s_stream_answer_result(s, a, b, S2S_VALID, NULL, S2S_PROOF_DIALBACK);
    S2S_ASSERT(s2s_stream_next(s)->kind == S2S_EV_PAIR_OPEN);
    S2S_ASSERT(s2s_stream_next(s)->kind == S2S_EV_NONE);
    return s;
}

static void put_message(s2s_buf *b, s2s_span text, bool as_from)
{
    put(b, S2S_LIT("<message id='7' from='"));
    S2S_ASSERT(s2s_buf_put_escaped(b, as_from ? text : S2S_LIT("a.example")) == S2S_E_OK);
    put(b, S2S_LIT("' to='"));
    S2S_ASSERT(s2s_buf_put_escaped(b, as_from ? S2S_LIT("b.example") : text) == S2S_E_OK);
    put(b, S2S_LIT("'/>"));
}

/* What is routed by, and what the next reader finds, is what was parsed. */
static void is_the_same(const s2s_stanza *st, const s2s_jid *jid, s2s_err err, bool as_from)
{
    s2s_jid written;
    S2S_ASSERT(s2s_domain_eq(as_from ? &st->from_domain : &st->to_domain, &jid->domain));
    S2S_ASSERT(st->address == err);
    S2S_ASSERT(s2s_jid_parse(as_from ? st->from : st->to, &written) == err);
    S2S_ASSERT(s2s_domain_eq(&written.domain, &jid->domain));
    S2S_ASSERT(s2s_span_eq(written.local, jid->local));
    S2S_ASSERT(s2s_span_eq(written.resource, jid->resource));
}

static void in_a_stanza(s2s_span text, const s2s_jid *jid, s2s_err err, bool as_from)
{
    const s2s_domain a = domain("a.example"), b = domain("b.example");
    s2s_stream *s = stream_of_a(&a, &b);
    s2s_buf message;
    s2s_buf_init(&message, 0);
    put_message(&message, text, as_from);
    s2s_stream_feed(s, s2s_buf_span(&message));
    const s2s_event *ev = s2s_stream_next(s);
    bool fits = has_parts(err) && s2s_domain_eq(&jid->domain, as_from ? &a : &b);
    if (ev->kind == S2S_EV_STANZA) {
        S2S_ASSERT(fits);
        is_the_same(ev->stanza, jid, err, as_from);
    } else if (ev->kind == S2S_EV_STANZA_REFUSED) {
        S2S_ASSERT(!as_from && !has_parts(err));
    } else {
        S2S_ASSERT(ev->kind == S2S_EV_DEAD);
        S2S_ASSERT(!fits || ev->err == S2S_E_XML_NOT_WELL_FORMED); /* no UTF-8, no XML character */
    }
    s2s_buf_fini(&message);
    s2s_stream_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    s2s_jid jid;
    if (len < 1 || len > 4096) return 0; /* written, it fits into one token */
    s2s_span text = {(const char *)data + 1, len - 1};
    s2s_err err = alone(text, &jid);
    if (memchr(text.ptr, '\0', text.len) == NULL) in_a_stanza(text, &jid, err, data[0] & 1);
    return 0;
}
