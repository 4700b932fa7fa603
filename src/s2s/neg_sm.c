/* Stream management (XEP-0198): acknowledgements, in both roles and both directions of a stream; resuming one of ours. */
#include <stdlib.h>
#include <string.h>

#include "stream_priv.h"

/* ---- features ---- */

void s2s_sm_read_feature(s2s_features *f, const s2s_xml_child *child)
{
    if (child->depth == 1 && s2s_span_is(child->ns, S2S_NS_SM) && s2s_span_is(child->name, "sm"))
        f->sm = true;
}

/* Before the proof too: who is proved by dialback reads no later features. Who cannot wait for it is refused. */
void s2s_sm_write_feature(s2s_stream *s)
{
    if (s->offer_sm) s2s_out_text(s, "<sm xmlns='" S2S_NS_SM "'/>");
}

/* ---- beginning ---- */

static bool read_count(s2s_span text, uint32_t *out)
{
    uint64_t number = 0;
    if (text.len == 0 || text.len > 10) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
        number = 10 * number + (uint64_t)(text.ptr[i] - '0');
    }
    *out = (uint32_t)number;
    return number <= UINT32_MAX;
}

/* What a stream is known by when it is resumed; few streams have one. */
struct s2s_session {
    s2s_resumable facts; /* id: kept behind the struct */
    char id[];
};

/* False: no memory. An id nobody can keep is none. */
static bool keep_session(const s2s_resumable *facts, s2s_session **out)
{
    s2s_span id = facts->id;
    if (id.len == 0 || id.len > S2S_SM_ID_MAX) return true;
    s2s_session *kept = malloc(sizeof *kept + id.len);
    if (kept == NULL) return false;
    kept->facts = *facts;
    memcpy(kept->id, id.ptr, id.len);
    kept->facts.id = (s2s_span){kept->id, id.len};
    free(*out);
    *out = kept;
    return true;
}

bool s2s_sm_init(s2s_stream *s, const s2s_resumable *before)
{
    return before == NULL || keep_session(before, &s->sm.before);
}

void s2s_sm_fini(s2s_stream *s)
{
    free(s->sm.before);
    free(s->sm.own);
}

/* Both sides count from here. */
static void restart_counts(s2s_stream *s, uint32_t sent, uint32_t got)
{
    s->sm.sent = s->sm.acked = s->sm.asked = sent;
    s->sm.got = s->sm.taken = s->sm.told = got;
    s->sm.asks = false;
}

static void send_enable(s2s_stream *s)
{
    restart_counts(s, 0, 0);
    s->sm.state = S2S_SM_ASKED;
    /* Of what came back and is not taken yet the peer would send us a second copy when it is gone on with. */
    s2s_out_text(s, s->bidi ? "<enable xmlns='" S2S_NS_SM "'/>"
                            : "<enable xmlns='" S2S_NS_SM "' resume='true'/>");
}

static void send_resume(s2s_stream *s)
{
    s->sm.state = S2S_SM_RESUMING;
    const s2s_resumable *before = &s->sm.before->facts;
    s->sm.sent = before->sent;
    s->sm.acked = before->acked;
    s2s_out_text(s, "<resume xmlns='" S2S_NS_SM "'");
    s2s_out_attr(s, "previd", before->id);
    s2s_out_text(s, " h='");
    s2s_out_number(s, before->taken);
    s2s_out_text(s, "'/>");
}

/* With the first pair, so that no stanza comes before it: then every one is counted. */
void s2s_sm_want(s2s_stream *s)
{
    if (!s->config.try_sm || !s->features.sm || s->sm.state != S2S_SM_OFF || s->sm.sent > 0) return;
    if (s->sm.before != NULL && !s->bidi)
        send_resume(s);
    else
        send_enable(s);
}

static bool is_true(s2s_span text)
{
    return s2s_span_is(text, "true") || s2s_span_is(text, "1");
}

/* What was sent since <enable/> counts, and of the peer's what comes from now on. */
void s2s_sm_begin(s2s_stream *s, const s2s_input *in)
{
    s2s_resumable facts = {.id = s2s_attr_find(in->item, NULL, "id")};
    bool resumable = is_true(s2s_attr_find(in->item, NULL, "resume"));
    s->sm.state = S2S_SM_ON;
    s->sm.got = 0;
    if (!read_count(s2s_attr_find(in->item, NULL, "max"), &facts.seconds)) facts.seconds = 0;
    if (resumable && !s->bidi && !keep_session(&facts, &s->sm.own)) s2s_stream_die(s, S2S_E_NOMEM);
}

void s2s_sm_give_up(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    s->sm.state = S2S_SM_OFF;
    s->config.try_sm = false;
}

static void tell_resumed(s2s_stream *s, s2s_verdict verdict, uint32_t more)
{
    s2s_event *ev = s2s_stream_tell(s, S2S_EV_RESUMED);
    ev->verdict = verdict;
    ev->count = more;
}

/* What the peer has not got is sent, and counted, once more. */
void s2s_sm_go_on(s2s_stream *s, const s2s_input *in)
{
    uint32_t more = in->count - s->sm.acked;
    s->sm.state = S2S_SM_ON;
    restart_counts(s, in->count, s->sm.before->facts.taken);
    s->sm.own = s->sm.before;
    s->sm.before = NULL;
    tell_resumed(s, S2S_VALID, more);
}

/* Some that cannot go on say how far the old one had come (5). */
void s2s_sm_begin_anew(s2s_stream *s, const s2s_input *in)
{
    bool said = (in->facts & S2S_HAS(COUNT_FITS)) != 0;
    tell_resumed(s, S2S_INVALID, said ? in->count - s->sm.acked : 0);
    free(s->sm.before);
    s->sm.before = NULL;
    send_enable(s);
}

void s2s_sm_send_enabled(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    restart_counts(s, 0, 0);
    s->sm.state = S2S_SM_ON;
    s2s_out_text(s, "<enabled xmlns='" S2S_NS_SM "'/>");
}

static void fail(s2s_stream *s, const char *cond)
{
    s2s_out_text(s, "<failed xmlns='" S2S_NS_SM "'><");
    s2s_out_text(s, cond);
    s2s_out_text(s, " xmlns='" S2S_NS_STANZA_ERRORS "'/></failed>");
}

/* Before a proof, or a second time. */
void s2s_sm_refuse(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    fail(s, "unexpected-request");
}

/* No stream of ours can be resumed, so that no id anybody guesses or has stolen is good for anything. */
void s2s_sm_resume_nothing(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    fail(s, "item-not-found");
}

/* ---- what the peer acknowledges ---- */

/* A count that goes back is one that is too high, modulo 2^32. */
void s2s_sm_read_count(s2s_stream *s, s2s_input *in)
{
    if (!read_count(s2s_attr_find(in->item, NULL, "h"), &in->count)) return;
    in->facts |= S2S_HAS(COUNT_GIVEN);
    if (in->count - s->sm.acked <= s->sm.sent - s->sm.acked) in->facts |= S2S_HAS(COUNT_FITS);
}

void s2s_sm_take_ack(s2s_stream *s, const s2s_input *in)
{
    uint32_t more = in->count - s->sm.acked;
    s->sm.acked = in->count;
    if (more > 0) s2s_stream_tell(s, S2S_EV_ACKED)->count = more;
}

void s2s_sm_count_wrong(s2s_stream *s, const s2s_input *in)
{
    s->sm.wrong = in->count;
    s2s_stream_die(s, S2S_E_SM_COUNT);
}

/* Inside <stream:error/> (section 6). */
void s2s_sm_write_error(s2s_stream *s)
{
    s2s_out_text(s, "<handled-count-too-high xmlns='" S2S_NS_SM "' h='");
    s2s_out_number(s, s->sm.wrong);
    s2s_out_text(s, "' send-count='");
    s2s_out_number(s, s->sm.sent);
    s2s_out_text(s, "'/>");
}

void s2s_stream_ask_ack(s2s_stream *s)
{
    if (s2s_stream_unacked(s) == 0 || s->sm.state != S2S_SM_ON || !s2s_stream_can_write(s)) return;
    s->sm.asked = s->sm.sent;
    s2s_out_text(s, "<r xmlns='" S2S_NS_SM "'/>");
    s2s_out_check(s);
}

/* ---- what we acknowledge ---- */

void s2s_sm_count(s2s_stream *s)
{
    s->sm.got++; /* means nothing while it is off */
}

void s2s_sm_owe_ack(s2s_stream *s, const s2s_input *in)
{
    (void)in;
    s->sm.asks = true;
    s->sm.asks_for = s->sm.got;
}

static void write_ack(s2s_stream *s)
{
    s->sm.asks = false;
    s->sm.told = s->sm.taken;
    s2s_out_text(s, "<a xmlns='" S2S_NS_SM "' h='");
    s2s_out_number(s, s->sm.taken);
    s2s_out_text(s, "'/>");
}

/* Once for all that was read together, and when what came before the question is taken: who asks with every breath is answered
 * once. */
bool s2s_sm_pay(s2s_stream *s)
{
    if (!s2s_stream_ack_due(s) || !s2s_stream_can_write(s)) return false;
    write_ack(s);
    s2s_out_check(s);
    return true;
}

void s2s_sm_last(s2s_stream *s)
{
    bool news = s->sm.asks || s->sm.told != s->sm.taken;
    if (s->sm.state == S2S_SM_ON && news && s2s_stream_can_write(s)) write_ack(s);
}

void s2s_stream_taken(s2s_stream *s, uint32_t n)
{
    S2S_ASSERT(s->sm.state == S2S_SM_ON && n <= s->sm.got - s->sm.taken);
    s->sm.taken += n;
}

void s2s_stream_tell_taken(s2s_stream *s)
{
    if ((s2s_stream_untold(s) == 0 && !s->sm.asks) || !s2s_stream_can_write(s)) return;
    write_ack(s);
    s2s_out_check(s);
}

/* ---- questions about it ---- */

s2s_sm_state s2s_stream_sm(const s2s_stream *s)
{
    return s->sm.state;
}

s2s_resumable s2s_stream_resumable(const s2s_stream *s)
{
    if (s->sm.state != S2S_SM_ON || s->sm.own == NULL) return (s2s_resumable){.id = {NULL, 0}};
    return (s2s_resumable){.id = s->sm.own->facts.id,
                           .seconds = s->sm.own->facts.seconds,
                           .sent = s->sm.sent,
                           .acked = s->sm.acked,
                           .taken = s->sm.taken};
}

uint32_t s2s_stream_unacked(const s2s_stream *s)
{
    bool counts = s->sm.state == S2S_SM_ON || s->sm.state == S2S_SM_ASKED;
    return counts ? s->sm.sent - s->sm.acked : 0;
}

uint32_t s2s_stream_unasked(const s2s_stream *s)
{
    return s->sm.state == S2S_SM_ON ? s->sm.sent - s->sm.asked : 0;
}

bool s2s_stream_ack_asked(const s2s_stream *s)
{
    return s->sm.asks;
}

bool s2s_stream_ack_due(const s2s_stream *s)
{
    return s->sm.asks && s->sm.taken - s->sm.told >= s->sm.asks_for - s->sm.told;
}

uint32_t s2s_stream_untold(const s2s_stream *s)
{
    return s->sm.state == S2S_SM_ON ? s->sm.taken - s->sm.told : 0;
}
