#include "stream_end.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

s2s_domain domain(const char *text)
{
    s2s_domain d;
    s2s_err err = s2s_domain_make(s2s_span_of(text), &d);
    assert_int_equal(err, S2S_E_OK);
    return d;
}

s2s_stream_config config_of(s2s_role role)
{
    s2s_stream_config c;
    s2s_stream_config_init(&c, role);
    c.error_id = S2S_LIT("e0");
    if (role == S2S_RECEIVING) return c;
    c.from = domain("a.example");
    c.to = domain("b.example");
    c.try_external = true;
    return c;
}

void end_init(end *e, s2s_role role, const s2s_stream_config *config)
{
    *e = (end){.role = role, .auth_ok = true, .prove = S2S_VALID, .check = S2S_VALID};
    e->answer = (s2s_answer){.as = domain("b.example"),
                             .tls = S2S_TLS_REQUIRED,
                             .offer_external = true,
                             .offer_dialback = true};
    e->prove_cond = "item-not-found";
    s2s_buf_init(&e->log, 0);
    s2s_buf_init(&e->wrote, 0);
    s2s_stream_config c = config_of(role);
    e->stream = s2s_stream_new(config != NULL ? config : &c);
    assert_non_null(e->stream);
}

void end_fini(end *e)
{
    s2s_stream_free(e->stream);
    s2s_buf_fini(&e->log);
    s2s_buf_fini(&e->wrote);
}

/* ---- events as text ---- */

static void put(s2s_buf *b, s2s_span bytes)
{
    assert_int_equal(s2s_buf_put(b, bytes), S2S_E_OK);
}

static void put_word(s2s_buf *b, const char *name, s2s_span value)
{
    if (value.len == 0) return;
    put(b, S2S_LIT(" "));
    put(b, s2s_span_of(name));
    put(b, S2S_LIT("="));
    put(b, value);
}

static const char *kind_name(s2s_event_kind kind)
{
    static const char *const names[] = {
        "NONE",           "HEAD",      "NEED_TLS",  "READY",        "MAKE_KEY",      "AUTH",
        "PROVE",          "CHECK_KEY", "PAIR_OPEN", "PAIR_REFUSED", "VERIFY_ANSWER", "STANZA",
        "STANZA_REFUSED", "ACKED",     "RESUMED",   "NOTE",         "CLOSED",        "DEAD"};
    return names[kind];
}

static void log_event(end *e, const s2s_event *ev)
{
    static const char *const verdicts[] = {"valid", "invalid", "error"};
    put(&e->log, s2s_span_of(kind_name(ev->kind)));
    if (ev->err != S2S_E_OK) put_word(&e->log, "err", s2s_span_of(s2s_err_of(ev->err)->name));
    put_word(&e->log, "from", s2s_domain_span(&ev->from));
    put_word(&e->log, "to", s2s_domain_span(&ev->to));
    put_word(&e->log, "id", ev->id);
    put_word(&e->log, "key", ev->key);
    put_word(&e->log, "cond", ev->cond);
    if (ev->kind == S2S_EV_ACKED || ev->kind == S2S_EV_RESUMED) {
        char count[16];
        snprintf(count, sizeof count, "%u", (unsigned)ev->count);
        put_word(&e->log, "count", s2s_span_of(count));
    }
    put_word(&e->log, "text", ev->text);
    if (ev->kind == S2S_EV_VERIFY_ANSWER || ev->kind == S2S_EV_RESUMED)
        put_word(&e->log, "verdict", s2s_span_of(verdicts[ev->verdict]));
    if (ev->proof != S2S_PROOF_NONE)
        put_word(&e->log, "proof", s2s_span_of(s2s_proof_name(ev->proof)));
    if (ev->stanza != NULL) put_word(&e->log, "stanza", ev->stanza->bytes);
    put(&e->log, S2S_LIT("\n"));
}

/* ---- the caller ---- */

static void take_out(end *e)
{
    s2s_span out = s2s_stream_out(e->stream);
    put(&e->wrote, out);
    s2s_stream_sent(e->stream, out.len);
}

static void answer_head(end *e)
{
    if (e->role == S2S_INITIATING) return;
    snprintf(e->id, sizeof e->id, "id%u", ++e->ids);
    e->answer.id = s2s_span_of(e->same_id != NULL ? e->same_id : e->id);
    s2s_stream_answer(e->stream, &e->answer);
}

static void answer_event(end *e, const s2s_event *ev)
{
    s2s_stream *s = e->stream;
    switch (ev->kind) {
    case S2S_EV_HEAD: answer_head(e); return;
    case S2S_EV_AUTH: s2s_stream_answer_auth(s, e->auth_ok, "not-authorized"); return;
    case S2S_EV_MAKE_KEY: s2s_stream_give_key(s, &ev->from, &ev->to, S2S_LIT("k3y")); return;
    case S2S_EV_PROVE:
        s2s_stream_answer_result(s, &ev->from, &ev->to, e->prove, e->prove_cond,
                                 S2S_PROOF_DIALBACK);
        return;
    case S2S_EV_CHECK_KEY:
        s2s_stream_answer_verify(s, &ev->from, &ev->to, ev->id, e->check, "item-not-found");
        return;
    case S2S_EV_NEED_TLS:
        take_out(e); /* flushed in clear before TLS begins */
        s2s_stream_tls_done(s);
        return;
    case S2S_EV_NONE:
    case S2S_EV_READY:
    case S2S_EV_PAIR_OPEN:
    case S2S_EV_PAIR_REFUSED:
    case S2S_EV_VERIFY_ANSWER:
    case S2S_EV_STANZA:
    case S2S_EV_STANZA_REFUSED:
    case S2S_EV_ACKED:
    case S2S_EV_RESUMED:
    case S2S_EV_NOTE:
    case S2S_EV_CLOSED:
    case S2S_EV_DEAD: return;
    }
}

void end_walk(end *e)
{
    const s2s_event *ev;
    while ((ev = s2s_stream_next(e->stream))->kind != S2S_EV_NONE) {
        assert_false(e->dead); /* DEAD is final */
        log_event(e, ev);
        e->dead = e->dead || ev->kind == S2S_EV_DEAD;
        e->closed = e->closed || ev->kind == S2S_EV_CLOSED;
        e->tls_needed = e->tls_needed || ev->kind == S2S_EV_NEED_TLS;
        if (!e->mute) answer_event(e, ev);
    }
    take_out(e);
}

static size_t next_feed(const end *e, size_t left)
{
    size_t n = e->chunk > 0 && e->chunk < left ? e->chunk : left;
    if (n > 65536) n = 65536;
    if (e->cut > e->fed && e->cut < e->fed + n) n = e->cut - e->fed;
    return n;
}

void end_feed_span(end *e, s2s_span bytes)
{
    while (bytes.len > 0) {
        size_t n = next_feed(e, bytes.len);
        s2s_stream_feed(e->stream, (s2s_span){bytes.ptr, n});
        bytes = (s2s_span){bytes.ptr + n, bytes.len - n};
        e->fed += n;
        end_walk(e);
    }
}

void end_feed(end *e, const char *text)
{
    end_feed_span(e, s2s_span_of(text));
}

/* ---- what came of it ---- */

static const char *text_of(s2s_buf *b, size_t from)
{
    put(b, (s2s_span){"", 1});
    b->end--; /* the terminator is lent, not held */
    return b->ptr + b->start + from;
}

const char *end_log(end *e)
{
    return text_of(&e->log, 0);
}

void end_log_clear(end *e)
{
    s2s_buf_clear(&e->log);
}

const char *end_out(end *e)
{
    take_out(e);
    const char *text = text_of(&e->wrote, e->marked);
    e->marked = s2s_buf_span(&e->wrote).len;
    return text;
}

const char *end_all_out(end *e)
{
    take_out(e);
    return text_of(&e->wrote, 0);
}

/* Gives b what a wrote since the last time. */
static bool carry(end *a, end *b)
{
    take_out(a);
    s2s_span all = s2s_buf_span(&a->wrote);
    size_t from = a->marked;
    a->marked = all.len;
    if (all.len == from) return false;
    end_feed_span(b, (s2s_span){all.ptr + from, all.len - from});
    return true;
}

void ends_meet(end *a, end *b)
{
    bool moved = true;
    end_walk(a);
    end_walk(b);
    while (moved) {
        moved = carry(a, b);
        moved = carry(b, a) || moved;
    }
}

/* ---- beginnings ---- */

end receiver_in_tls(void)
{
    end e;
    end_init(&e, S2S_RECEIVING, NULL);
    end_feed(&e, HEAD_AB STARTTLS);
    end_feed(&e, HEAD_AB);
    end_out(&e);
    end_log_clear(&e);
    return e;
}

end receiver_proved(void)
{
    end e = receiver_in_tls();
    end_feed(&e, RESULT("a.example", "b.example", "k3y"));
    assert_has(end_log(&e), "PAIR_OPEN from=a.example to=b.example proof=dialback");
    end_out(&e);
    end_log_clear(&e);
    return e;
}

/* ---- asserts that print what they looked at ---- */

void assert_has_at(const char *text, const char *part, const char *file, int line)
{
    if (strstr(text, part) != NULL) return;
    print_error("not found: %s\nin: %s\n", part, text);
    _fail(file, line);
}

void assert_hasnt_at(const char *text, const char *part, const char *file, int line)
{
    if (strstr(text, part) == NULL) return;
    print_error("found: %s\nin: %s\n", part, text);
    _fail(file, line);
}
