/* leaves.c - see leaves.h. */
#include "leaves.h"

s2s_domain domain_of(const char *text)
{
    s2s_domain d;
    assert_int_equal(s2s_domain_make(s2s_span_of(text), &d), S2S_E_OK);
    return d;
}

fed_addr addr_of(const char *text, uint16_t port)
{
    fed_cidr block;
    assert_int_equal(fed_cidr_parse(s2s_span_of(text), &block), S2S_E_OK);
    block.net.port = port;
    return block.net;
}

s2s_stanza stanza_of(s2s_kind kind, const char *from, const char *to, const char *id,
                     const char *type)
{
    s2s_jid a, b;
    s2s_stanza st = {
        .kind = kind,
        .from = s2s_span_of(from),
        .to = s2s_span_of(to),
        .id = s2s_span_of(id),
        .type = s2s_span_of(type),
        .bytes = S2S_LIT("<message id='1'><body>hello</body></message>"),
    };
    s2s_err err = s2s_jid_parse(st.from, &a);
    if (err == S2S_E_OK)
        err = s2s_jid_parse(st.to, &b);
    else
        assert_int_equal(s2s_jid_parse(st.to, &b), S2S_E_OK);
    assert_true(err == S2S_E_OK || err == S2S_E_JID_TOO_LONG);
    st.address = err;
    st.from_domain = a.domain;
    st.to_domain = b.domain;
    return st;
}

/* splitmix64 */
static uint64_t seeded_next(seeded *s)
{
    uint64_t z = s->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void seeded_fill(void *seed, void *out, size_t n)
{
    uint8_t *at = out;
    while (n > 0) {
        uint64_t r = seeded_next(seed);
        size_t part = n < sizeof r ? n : sizeof r;
        memcpy(at, &r, part);
        at += part;
        n -= part;
    }
}
