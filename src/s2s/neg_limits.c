/* What a peer says it bears, and what we say (XEP-0478). */
#include "stream_priv.h"

enum { LEAST_BYTES = 10000 /* RFC 6120 13.12: nobody may bear less, whatever it says */ };

/* A number that is too large to be meant is none. */
static uint32_t number_of(s2s_span text)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return 0;
        number = 10 * number + (uint64_t)(text.ptr[i] - '0');
        if (number > UINT32_MAX) return 0;
    }
    return (uint32_t)number;
}

void s2s_limits_read_feature(s2s_features *f, const s2s_xml_child *child)
{
    if (child->depth != 2 || !s2s_span_is(child->ns, S2S_NS_LIMITS)) return;
    if (s2s_span_is(child->name, "max-bytes")) f->max_bytes = number_of(child->text);
    if (s2s_span_is(child->name, "idle-seconds")) f->idle_seconds = number_of(child->text);
}

/* The latest features count; what they do not say stays as it was. */
void s2s_limits_keep(s2s_stream *s)
{
    const s2s_features *f = &s->features;
    if (f->max_bytes != 0)
        s->peer_max_bytes = f->max_bytes > LEAST_BYTES ? f->max_bytes : LEAST_BYTES;
    if (f->idle_seconds != 0) s->peer_idle_seconds = f->idle_seconds;
}

static void write_one(s2s_stream *s, const char *name, uint32_t number)
{
    if (number == 0) return;
    s2s_out_text(s, "<");
    s2s_out_text(s, name);
    s2s_out_text(s, ">");
    s2s_out_number(s, number);
    s2s_out_text(s, "</");
    s2s_out_text(s, name);
    s2s_out_text(s, ">");
}

void s2s_limits_write_feature(s2s_stream *s)
{
    if (s->max_bytes == 0 && s->idle_seconds == 0) return;
    s2s_out_text(s, "<limits xmlns='" S2S_NS_LIMITS "'>");
    write_one(s, "max-bytes", s->max_bytes);
    write_one(s, "idle-seconds", s->idle_seconds);
    s2s_out_text(s, "</limits>");
}

/* ---- questions about it ---- */

uint32_t s2s_stream_peer_max_bytes(const s2s_stream *s)
{
    return s->peer_max_bytes;
}

uint32_t s2s_stream_peer_idle_seconds(const s2s_stream *s)
{
    return s->peer_idle_seconds;
}
