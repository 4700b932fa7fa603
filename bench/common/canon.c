/* canon.c - see canon.h. The stanza goes through a receiving stream that believes its sender. */
#include "canon.h"

#include <s2s/stream.h>
#include <stdio.h>

static bool answered(s2s_stream *s, s2s_span stanza, s2s_buf *out)
{
    bool fed = false, got = false;
    for (;;) {
        const s2s_event *e = s2s_stream_next(s);
        switch (e->kind) {
        case S2S_EV_HEAD: {
            s2s_answer a = {.as = e->head->to, .id = S2S_LIT("canon"), .offer_dialback = true};
            s2s_stream_answer(s, &a);
            break;
        }
        case S2S_EV_PROVE: {
            s2s_domain from = e->from, to = e->to;
            s2s_stream_answer_result(s, &from, &to, S2S_VALID, NULL, S2S_PROOF_DIALBACK);
            break;
        }
        case S2S_EV_STANZA: got = s2s_buf_put(out, e->stanza->bytes) == S2S_E_OK; break;
        case S2S_EV_DEAD: return false;
        case S2S_EV_NONE:
            if (fed) return got && !s2s_stream_half_stanza(s);
            fed = true;
            for (size_t at = 0; at < stanza.len; at += 65536) {
                size_t n = stanza.len - at < 65536 ? stanza.len - at : 65536;
                s2s_stream_feed(s, (s2s_span){stanza.ptr + at, n});
                if (at + n < stanza.len && s2s_stream_next(s)->kind != S2S_EV_NONE) return false;
            }
            break;
        default: break;
        }
    }
}

bool canon_stanza(s2s_span stanza, const char *from, const char *to, s2s_buf *out)
{
    char head[1024];
    s2s_stream_config config;
    s2s_stream_config_init(&config, S2S_RECEIVING);
    s2s_stream *s = s2s_stream_new(&config);
    if (!s) return false;
    int n = snprintf(head, sizeof head,
                     "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' "
                     "xmlns:stream='http://etherx.jabber.org/streams' from='%s' to='%s' "
                     "version='1.0'><db:result from='%s' to='%s'>key</db:result>",
                     from, to, from, to);
    S2S_ASSERT(n > 0 && (size_t)n < sizeof head);
    s2s_stream_feed(s, (s2s_span){head, (size_t)n});
    bool ok = answered(s, stanza, out);
    s2s_stream_free(s);
    return ok;
}
