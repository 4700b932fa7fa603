/* STARTTLS (RFC 6120 5.4). */
#include "stream_priv.h"

/* ---- features ---- */

void s2s_tls_read_feature(s2s_features *f, const s2s_xml_child *child)
{
    if (!s2s_span_is(child->ns, S2S_NS_TLS)) return;
    if (child->depth == 1 && s2s_span_is(child->name, "starttls")) f->starttls = true;
    if (child->depth == 2 && s2s_span_is(child->name, "required")) f->starttls_required = true;
}

void s2s_tls_write_feature(s2s_stream *s)
{
    if (s->in_tls || s->tls == S2S_TLS_NONE) return;
    s2s_out_text(s, "<starttls xmlns='" S2S_NS_TLS "'>");
    if (s->tls == S2S_TLS_REQUIRED) s2s_out_text(s, "<required/>");
    s2s_out_text(s, "</starttls>");
}

/* ---- into TLS ---- */

void s2s_tls_send_starttls(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    s2s_out_text(s, "<starttls xmlns='" S2S_NS_TLS "'/>");
}

/* What lies behind <starttls/> or <proceed/> was sent in clear and must never count as said inside
 * TLS: the rows end the stream when it is more than white space. White space alone is dropped: RFC
 * 6120 5.3.3 forbids it, keepalives of the field send it, and it says nothing. */
void s2s_tls_need(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    s2s_buf_clear(&s->in);
    s2s_stream_tell(s, S2S_EV_NEED_TLS);
}

void s2s_tls_send_proceed(s2s_stream *s, const s2s_input *in)
{
    s2s_out_text(s, "<proceed xmlns='" S2S_NS_TLS "'/>");
    s2s_tls_need(s, in);
}

/* Not offered, or inside TLS: failure, close tag, end (5.4.2.2). */
void s2s_tls_refuse(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    s2s_out_text(s, "<failure xmlns='" S2S_NS_TLS "'/></stream:stream>");
    s->close_sent = true;
    s2s_stream_die(s, S2S_E_OUT_OF_TURN);
}

/* Nothing of before is kept (5.4.3.3): neither what the peer said nor what we answered. The earlier
 * addresses stay only to be compared with. */
void s2s_tls_begin(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    s->in_tls = true;
    s2s_buf_clear(&s->in);
    s->head = (s2s_head){.version_1 = true};
    s->as = (s2s_domain){0};
    s->lang_len = 0;
    s->dialback_declared = false;
    s->dialback_errors = false;
    s->external_offered = false;
    s->bidi = false;
    s->offer_bidi = false;
    s->unsolicited = 0;
    s->sasl_failures = 0;
    if (s->config.role == S2S_RECEIVING) s->tls = S2S_TLS_REQUIRED; /* till the next answer */
    s2s_head_restart(s);
}
