#include "stream_priv.h"

/* Every byte a stream writes, stanzas apart, goes through here. A failure is remembered and ends
 * the stream at the end of the step: half an element must not be followed by another. */
void s2s_out_span(s2s_stream *s, s2s_span bytes)
{
    if (s->out_failed) return;
    if (s2s_buf_put(&s->out, bytes) != S2S_E_OK)
        s->out_failed = true;
    else
        s->out_total += bytes.len;
}

void s2s_out_text(s2s_stream *s, const char *text)
{
    s2s_out_span(s, s2s_span_of(text));
}

void s2s_out_escaped(s2s_stream *s, s2s_span text)
{
    if (s->out_failed) return;
    size_t before = s2s_buf_span(&s->out).len;
    if (s2s_buf_put_escaped(&s->out, text) != S2S_E_OK)
        s->out_failed = true;
    else
        s->out_total += s2s_buf_span(&s->out).len - before;
}

void s2s_out_number(s2s_stream *s, uint32_t number)
{
    char digits[10];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    s2s_out_span(s, (s2s_span){digits + at, sizeof digits - at});
}

void s2s_out_attr(s2s_stream *s, const char *name, s2s_span value)
{
    s2s_out_text(s, " ");
    s2s_out_text(s, name);
    s2s_out_text(s, "='");
    s2s_out_escaped(s, value);
    s2s_out_text(s, "'");
}

void s2s_out_domain(s2s_stream *s, const char *name, const s2s_domain *d)
{
    char text[S2S_DOMAIN_WIRE_MAX + 1];
    s2s_out_attr(s, name, s2s_domain_wire(d, text));
}

void s2s_out_check(s2s_stream *s)
{
    if (s->expect == S2S_DEAD || s->expect == S2S_CLOSED) return;
    if (s->out_failed)
        s2s_stream_die(s, S2S_E_NOMEM);
    else if (s2s_buf_span(&s->out).len > s->config.max_out + S2S_OUT_SLACK)
        s2s_stream_die(s, S2S_E_RESOURCE);
}
