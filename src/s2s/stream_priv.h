/* stream_priv.h - the inside of a stream, shared by the files which make it.
 * For:    stream.c (life, bytes, events), input.c (what came), head.c, neg_*.c, stanza_take.c.
 * Never:  included by anything outside src/s2s, tests of the core excepted.
 * Owner:  one stream.                                                                 */
#ifndef S2S_STREAM_PRIV_H
#define S2S_STREAM_PRIV_H

#include "handshake.h"
#include "pairs.h"
#include "s2s/stream.h"

#define S2S_NS_STREAMS       "http://etherx.jabber.org/streams"
#define S2S_NS_SERVER        "jabber:server"
#define S2S_NS_DIALBACK      "jabber:server:dialback"
#define S2S_NS_DB_FEATURE    "urn:xmpp:features:dialback"
#define S2S_NS_BIDI_FEATURE  "urn:xmpp:features:bidi"
#define S2S_NS_BIDI          "urn:xmpp:bidi"
#define S2S_NS_TLS           "urn:ietf:params:xml:ns:xmpp-tls"
#define S2S_NS_SASL          "urn:ietf:params:xml:ns:xmpp-sasl"
#define S2S_NS_STREAM_ERRORS "urn:ietf:params:xml:ns:xmpp-streams"
#define S2S_NS_STANZA_ERRORS "urn:ietf:params:xml:ns:xmpp-stanzas"
#define S2S_NS_SM            "urn:xmpp:sm:3"
#define S2S_NS_LIMITS        "urn:xmpp:stream-limits:0"
#define S2S_NS_XML           "http://www.w3.org/XML/1998/namespace"

enum {
    S2S_ERROR_ID_MAX = 64,   /* octets of config.error_id kept */
    S2S_ID_MAX = 256,        /* octets of a stream id we can use */
    S2S_LANG_MAX = 35,       /* octets of a language tag (RFC 5646 4.4.1 asks for 35) */
    S2S_KEY_MAX = 256,       /* octets of a dialback key */
    S2S_SASL_TRIES = 3,      /* failures granted (RFC 6120 6.4.5: 2 to 5) */
    S2S_SM_ID_MAX = 256,     /* octets of the id of a stream that may be resumed */
    S2S_UNSOLICITED_MAX = 3, /* answers nobody asked for; this one ends the stream */
    S2S_FEED_MAX = 65536,    /* bytes of one feed */
    S2S_OUT_SLACK = 65536    /* handshake bytes beyond config.max_out */
};

/* A db:verify of ours, waiting or in flight. The texts stand behind the struct. */
typedef struct s2s_question {
    struct s2s_question *next;
    s2s_domain from;
    s2s_domain to;
    s2s_span id;
    s2s_span key;
    bool sent;
    char text[];
} s2s_question;

/* What the peer's latest features say (initiating). */
typedef struct s2s_features {
    bool starttls;
    bool starttls_required;
    bool external;
    bool dialback;
    bool dialback_errors;
    bool sm;
    uint32_t max_bytes;    /* XEP-0478; 0: not said */
    uint32_t idle_seconds; /* the same */
    bool bidi;
    bool unknown_required;
} s2s_features;

typedef struct s2s_session s2s_session; /* neg_sm.c */

/* Stream management (XEP-0198). Counts are of stanzas, modulo 2^32. */
typedef struct s2s_sm {
    s2s_sm_state state;
    uint32_t sent;       /* ours, since <enable/> */
    uint32_t acked;      /* by the peer */
    uint32_t asked;      /* `sent` when <r/> was last written */
    uint32_t got;        /* the peer's, since <enabled/> */
    uint32_t taken;      /* of these, as our caller says */
    uint32_t told;       /* h of our last <a/> */
    uint32_t wrong;      /* h that could not be */
    uint32_t asks_for;   /* `got` when it asked last */
    bool asks;           /* the peer waits for an <a/> */
    s2s_session *before; /* initiating: to be resumed, or NULL */
    s2s_session *own;    /* initiating: by which this one may be, or NULL */
} s2s_sm;

struct s2s_stream {
    s2s_stream_config config;
    s2s_expect expect;
    s2s_xml *xml;
    s2s_buf in; /* fed and not given to the parser yet */
    s2s_buf out;
    s2s_buf stanza;  /* the stanza lent by the present event */
    s2s_buf address; /* its from and to */
    s2s_stanza lent;
    uint64_t out_total;
    bool out_failed; /* no memory for out */
    bool in_tls;
    bool after_sasl;
    bool head_read; /* on the present stream, restarts counted */
    bool head_sent;
    bool close_sent;
    bool eof;
    bool restart_due; /* the parser starts anew before the next byte */
    bool skip_space;  /* white space of the old stream may still come */
    bool limits_open;
    bool bidi; /* stanzas go both ways (XEP-0288): said by the initiating side, after an offer */

    /* events */
    s2s_event event; /* lent to the caller, or about to be */
    bool event_due;
    bool ready_due;
    bool ready_told;
    bool dead_due;
    s2s_err dead_err;
    s2s_span dead_cond;
    s2s_span dead_text;

    /* headers: the peer's (head) and what the response said */
    s2s_head head;
    s2s_domain as;
    char id[S2S_ID_MAX + 1];
    size_t id_len;
    char lang[S2S_LANG_MAX + 1];
    size_t lang_len;
    char error_id[S2S_ERROR_ID_MAX];
    size_t error_id_len;
    s2s_domain peer_from; /* of the peer's earlier header, for comparison at a restart */
    s2s_domain peer_to;

    /* receiving */
    s2s_tls_level tls; /* of the latest answer; REQUIRED before any */
    bool offer_external;
    bool offer_dialback;
    bool offer_sm;
    uint32_t max_bytes;
    uint32_t idle_seconds;
    bool offer_bidi;
    s2s_domain authzid;
    unsigned sasl_failures;

    /* initiating */
    s2s_features features;
    bool dialback_declared; /* since TLS: declared on the header, offered, or no version */
    bool dialback_errors;
    bool external_offered; /* once, since TLS */
    bool sasl_failed;
    bool challenged;
    s2s_question *questions;
    unsigned n_questions;
    unsigned n_sent; /* questions in flight */

    unsigned unsolicited;
    s2s_sm sm;
    uint32_t peer_max_bytes; /* of its features; 0: not said */
    uint32_t peer_idle_seconds;
    s2s_pairs natural; /* of the direction in which the connection was made */
    s2s_pairs *ours;   /* whose stanzas we send; receiving: NULL without bidi */
    s2s_pairs *theirs; /* whose stanzas come to us; initiating: NULL without bidi */
};

/* What came, seen once: which word of the tables it is and the facts it states. */
struct s2s_input {
    s2s_brings brings;
    uint64_t facts;
    s2s_err err;              /* BAD_XML; STANZA: why it is refused */
    const s2s_xml_item *item; /* NULL for our caller's words */
    s2s_span raw_from;
    s2s_span raw_to;
    s2s_jid from;
    s2s_jid to;
    s2s_err to_err;
    s2s_err address; /* STANZA: S2S_E_OK or S2S_E_JID_* */
    s2s_span id;
    s2s_span type;
    s2s_span lang;
    s2s_span key; /* dialback key, trimmed */
    s2s_kind kind;
    s2s_verdict verdict;
    const char *cond; /* constant, or NULL */
    s2s_proof proof;  /* RESULT_VALID */
    uint32_t count;   /* SM_ACK, SM_RESUMED, SM_FAILED */
    s2s_pair *pair;
    s2s_question *question;
};

/* ---- stream.c ---- */
void s2s_stream_enter(s2s_stream *s, s2s_expect next);
/* The stream is over because of `err`: header if there was none, its stream error, close tag, and
 * DEAD is told. What cannot be written is left out. */
void s2s_stream_die(s2s_stream *s, s2s_err err);
void s2s_stream_die_text(s2s_stream *s, s2s_err err, s2s_span text);
s2s_event *s2s_stream_tell(s2s_stream *s, s2s_event_kind kind); /* at most one for each element */
void s2s_stream_note(s2s_stream *s, s2s_err err);
bool s2s_stream_can_write(const s2s_stream *s); /* an element may be written now */
void s2s_act_nothing(s2s_stream *s, const s2s_input *in);
void s2s_act_ignore(s2s_stream *s, const s2s_input *in);
void s2s_act_ignore_foreign(s2s_stream *s, const s2s_input *in);
void s2s_act_close_back(s2s_stream *s, const s2s_input *in);

/* ---- out.c: what we write ---- */
void s2s_out_text(s2s_stream *s, const char *text); /* as it is */
void s2s_out_span(s2s_stream *s, s2s_span bytes);   /* as they are */
void s2s_out_escaped(s2s_stream *s, s2s_span text);
void s2s_out_attr(s2s_stream *s, const char *name, s2s_span value); /* escaped */
void s2s_out_domain(s2s_stream *s, const char *name, const s2s_domain *d);
void s2s_out_number(s2s_stream *s, uint32_t number);
void s2s_out_check(s2s_stream *s); /* ends the stream when memory or patience is spent */

/* ---- input.c ---- */
uint64_t s2s_facts(const s2s_stream *s); /* of the stream as it stands */
void s2s_input_of_item(s2s_stream *s, const s2s_xml_item *item, s2s_input *in);
s2s_span s2s_attr_find(const s2s_xml_item *item, const char *ns, const char *name);
bool s2s_only_space(s2s_span bytes);

/* ---- stream_error.c ---- */
void s2s_error_write(s2s_stream *s, s2s_err err, s2s_span text);
void s2s_act_peer_error(s2s_stream *s, const s2s_input *in);
void s2s_act_bad_xml(s2s_stream *s, const s2s_input *in);
/* The condition among an element's children of that depth, as a constant; NULL when there is none. */
const char *s2s_condition_of(const s2s_xml_item *item, unsigned depth, const char *ns);

/* ---- head.c ---- */
S2S_MUST_CHECK s2s_err s2s_head_read(s2s_stream *s, const s2s_xml_item *item); /* into s->head */
void s2s_head_write_initial(s2s_stream *s);
void s2s_head_write_bare(s2s_stream *s); /* response header alone, before an error or close */
void s2s_head_restart(s2s_stream *s);    /* a new stream on the connection: parser and header */
void s2s_head_tell(s2s_stream *s, const s2s_input *in);
void s2s_head_tell_old(s2s_stream *s, const s2s_input *in);
void s2s_head_write_response(s2s_stream *s, const s2s_input *in);
void s2s_head_ready(s2s_stream *s, const s2s_input *in);
void s2s_features_read(s2s_stream *s, const s2s_xml_item *item);

/* ---- neg_tls.c ---- */
void s2s_tls_read_feature(s2s_features *f, const s2s_xml_child *child);
void s2s_tls_write_feature(s2s_stream *s);
void s2s_tls_send_starttls(s2s_stream *s, const s2s_input *in);
void s2s_tls_send_proceed(s2s_stream *s, const s2s_input *in);
void s2s_tls_refuse(s2s_stream *s, const s2s_input *in);
void s2s_tls_need(s2s_stream *s, const s2s_input *in);
void s2s_tls_begin(s2s_stream *s, const s2s_input *in);

/* ---- neg_sasl.c ---- */
void s2s_sasl_read_feature(s2s_features *f, const s2s_xml_child *child);
void s2s_sasl_write_feature(s2s_stream *s);
void s2s_sasl_read_auth(s2s_stream *s, s2s_input *in); /* AUTH and RESPONSE: facts, s->authzid */
void s2s_sasl_send_auth(s2s_stream *s, const s2s_input *in);
void s2s_sasl_send_response(s2s_stream *s, const s2s_input *in);
void s2s_sasl_begin(s2s_stream *s, const s2s_input *in);
void s2s_sasl_take_failure(s2s_stream *s, const s2s_input *in);
void s2s_sasl_open_pair(s2s_stream *s, const s2s_input *in);
void s2s_sasl_send_challenge(s2s_stream *s, const s2s_input *in);
void s2s_sasl_ask(s2s_stream *s, const s2s_input *in);
void s2s_sasl_send_success(s2s_stream *s, const s2s_input *in);
void s2s_sasl_send_failure(s2s_stream *s, const s2s_input *in);
void s2s_sasl_fail_mechanism(s2s_stream *s, const s2s_input *in);
void s2s_sasl_fail_encryption(s2s_stream *s, const s2s_input *in);
void s2s_sasl_fail_encoding(s2s_stream *s, const s2s_input *in);
void s2s_sasl_fail_authzid(s2s_stream *s, const s2s_input *in);
void s2s_sasl_fail_malformed(s2s_stream *s, const s2s_input *in);
void s2s_sasl_fail_aborted(s2s_stream *s, const s2s_input *in);

/* ---- base64.c (RFC 4648 4) ---- */
#define S2S_BASE64_SIZE(n) (((n) + 2) / 3 * 4)
size_t s2s_base64_write(s2s_span bytes, char *out); /* S2S_BASE64_SIZE octets; how many */
/* Strict: alphabet, padding only at the end, no stray bits (RFC 6120 13.9.1). False: malformed, or
 * longer than `size`. */
bool s2s_base64_read(s2s_span text, char *out, size_t size, size_t *len);

/* ---- neg_dialback.c (initiating), neg_dialback_in.c (receiving, authoritative) ---- */
void s2s_dialback_read_feature(s2s_features *f, const s2s_xml_child *child);
void s2s_dialback_write_feature(s2s_stream *s);
void s2s_dialback_read(s2s_stream *s, s2s_input *in); /* RESULT.. VERIFY_ANSWER: facts */
void s2s_dialback_put(s2s_stream *s, const char *name, s2s_span from, s2s_span to);
void s2s_dialback_put_pair(s2s_stream *s, const char *name, const s2s_domain *from,
                           const s2s_domain *to);
void s2s_pairs_pump(s2s_stream *s); /* asks what the handshake now allows to ask */
void s2s_pair_opened(s2s_stream *s, s2s_pairs *of, s2s_pair *pair, s2s_proof proof);
void s2s_pair_refused(s2s_stream *s, s2s_pair *pair, s2s_err err, const char *cond);
void s2s_questions_free(s2s_stream *s);
void s2s_dialback_unsolicited(s2s_stream *s, const s2s_input *in);
void s2s_dialback_make_key(s2s_stream *s, const s2s_input *in);
void s2s_dialback_send_key(s2s_stream *s, const s2s_input *in);
void s2s_dialback_no_proof(s2s_stream *s, const s2s_input *in);
void s2s_dialback_take_result(s2s_stream *s, const s2s_input *in);
void s2s_dialback_forget(s2s_stream *s, const s2s_input *in);
void s2s_dialback_send_question(s2s_stream *s, const s2s_input *in);
void s2s_dialback_take_verify(s2s_stream *s, const s2s_input *in);
void s2s_dialback_ask_prove(s2s_stream *s, const s2s_input *in);
void s2s_dialback_repeat(s2s_stream *s, const s2s_input *in);
void s2s_dialback_open(s2s_stream *s, const s2s_input *in);
void s2s_dialback_put_valid(s2s_stream *s, const s2s_pair *pair);
void s2s_dialback_deny(s2s_stream *s, const s2s_input *in);
void s2s_dialback_deny_last(s2s_stream *s, const s2s_input *in);
void s2s_dialback_fail(s2s_stream *s, const s2s_input *in);
void s2s_dialback_result_tls(s2s_stream *s, const s2s_input *in);
void s2s_dialback_result_unknown(s2s_stream *s, const s2s_input *in);
void s2s_dialback_result_key(s2s_stream *s, const s2s_input *in);
void s2s_dialback_result_room(s2s_stream *s, const s2s_input *in);
void s2s_dialback_check(s2s_stream *s, const s2s_input *in);
void s2s_dialback_verify_tls(s2s_stream *s, const s2s_input *in);
void s2s_dialback_verify_unknown(s2s_stream *s, const s2s_input *in);
void s2s_dialback_verify_key(s2s_stream *s, const s2s_input *in);

/* ---- neg_sm.c ---- */
void s2s_sm_read_feature(s2s_features *f, const s2s_xml_child *child);
void s2s_sm_write_feature(s2s_stream *s);
bool s2s_sm_init(s2s_stream *s, const s2s_resumable *before); /* false: no memory */
void s2s_sm_fini(s2s_stream *s);
void s2s_sm_read_count(s2s_stream *s, s2s_input *in); /* SM_ACK, SM_RESUMED, SM_FAILED: facts */
void s2s_sm_want(s2s_stream *s);                      /* initiating: a pair was opened */
void s2s_sm_count(s2s_stream *s);                     /* a stanza of the peer's is told */
bool s2s_sm_pay(s2s_stream *s);                       /* writes the <a/> that is owed, if one is */
void s2s_sm_last(s2s_stream *s);                      /* before our close tag */
void s2s_sm_write_error(s2s_stream *s);
void s2s_sm_begin(s2s_stream *s, const s2s_input *in);
void s2s_sm_go_on(s2s_stream *s, const s2s_input *in);
void s2s_sm_begin_anew(s2s_stream *s, const s2s_input *in);
void s2s_sm_give_up(s2s_stream *s, const s2s_input *in);
void s2s_sm_send_enabled(s2s_stream *s, const s2s_input *in);
void s2s_sm_refuse(s2s_stream *s, const s2s_input *in);
void s2s_sm_resume_nothing(s2s_stream *s, const s2s_input *in);
void s2s_sm_owe_ack(s2s_stream *s, const s2s_input *in);
void s2s_sm_take_ack(s2s_stream *s, const s2s_input *in);
void s2s_sm_count_wrong(s2s_stream *s, const s2s_input *in);

/* ---- neg_limits.c ---- */
void s2s_limits_read_feature(s2s_features *f, const s2s_xml_child *child);
void s2s_limits_keep(s2s_stream *s); /* features were read */
void s2s_limits_write_feature(s2s_stream *s);
/* ---- neg_bidi.c ---- */
void s2s_bidi_read_feature(s2s_features *f, const s2s_xml_child *child);
void s2s_bidi_write_feature(s2s_stream *s);
void s2s_bidi_fini(s2s_stream *s);
void s2s_bidi_ask(s2s_stream *s, const s2s_input *in);
void s2s_bidi_take(s2s_stream *s, const s2s_input *in);

/* ---- stanza_take.c ---- */
void s2s_stanza_read(s2s_stream *s, s2s_input *in); /* STANZA: facts */
void s2s_stanza_take(s2s_stream *s, const s2s_input *in);
void s2s_stanza_refuse(s2s_stream *s, const s2s_input *in);

#endif
