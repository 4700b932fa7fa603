/* stream.h - one XMPP server-to-server stream, sans-I/O (RFC 6120, XEP-0220, XEP-0178).
 * For:    bytes in -> events and bytes out; the two handshake tables; proof per pair; stanzas
 *         framed and written anew.
 * Never:  clock, socket, TLS, DNS, random, policy: all handed in. No callback leaves the core.
 * Owner:  one connection, one thread.
 *
 * The walk: feed bytes; call next until NONE; act on each event; write out()'s bytes to the
 * connection and say sent(). An event is lent until the next call of next/feed/free.            */
#ifndef S2S_STREAM_H
#define S2S_STREAM_H

#include "s2s/base.h"
#include "s2s/domain.h"
#include "s2s/stanza.h"
#include "s2s/xml.h"

typedef struct s2s_stream s2s_stream;

typedef enum s2s_role { S2S_INITIATING, S2S_RECEIVING } s2s_role;
typedef enum s2s_tls_level { S2S_TLS_NONE, S2S_TLS_OPTIONAL, S2S_TLS_REQUIRED } s2s_tls_level;
/* How a pair was proved. The core itself knows EXTERNAL (certificate) and dialback; the others are certificates too, whose
 * owner was found otherwise than by an authority, by whoever judged them. */
typedef enum s2s_proof {
    S2S_PROOF_NONE,
    S2S_PROOF_CERTIFICATE,
    S2S_PROOF_DIALBACK,
    S2S_PROOF_DANE,
    S2S_PROOF_POSH,
    S2S_PROOF_PIN
} s2s_proof;
const char *s2s_proof_name(s2s_proof proof); /* "none" "certificate" "dialback" ... */

/* A stream that may be gone on with on another connection (XEP-0198 5). */
typedef struct s2s_resumable {
    s2s_span id;      /* the peer's; absent: it may not */
    uint32_t seconds; /* so long, as the peer says; 0: it does not */
    uint32_t sent;    /* stanzas of ours */
    uint32_t acked;   /* of these */
    uint32_t taken;   /* of the peer's */
} s2s_resumable;

typedef struct s2s_stream_config {
    s2s_role role;
    /* Initiating: the local end of the header. Receiving: a name of ours for the header which must
     * precede an error when nothing was answered yet; none: from='' (RFC 6120 4.9.1.3). */
    s2s_domain from;
    /* Initiating: the remote end. Receiving: unused. */
    s2s_domain to;
    /* Initiating: what we demand. Receiving: given with each answer instead. */
    s2s_tls_level tls;
    /* TLS comes before everything else (XEP-0368): the first event is NEED_TLS, and no header is
     * written nor a byte read until s2s_stream_tls_done. STARTTLS is not known then. */
    bool direct_tls;
    /* Initiating: we have a certificate for `from`; EXTERNAL is used for the header pair when
     * offered. */
    bool try_external;
    bool allow_dialback; /* initiating: db:result may be used */
    bool try_sm;         /* initiating: stream management (XEP-0198) is used when offered */
    /* Initiating, with try_sm: what s2s_stream_resumable said of the stream to be resumed; borrowed until s2s_stream_new
     * returns. RESUMED comes before the first PAIR_OPEN. NULL: a new one is begun. */
    const s2s_resumable *resume;
    /* Initiating: stanzas are to go both ways (XEP-0288) where the peer offers it under TLS. See
     * s2s_stream_try_bidi, s2s_stream_open_back. */
    bool try_bidi;
    s2s_xml_limits preauth; /* until a pair is proved */
    s2s_xml_limits open;
    unsigned max_pairs; /* proved or asked on this stream */
    /* Bytes of output held; a stanza beyond is S2S_E_FULL. Handshake bytes may exceed it by 64 KiB:
     * a peer which asks on and never reads ends with S2S_E_RESOURCE. */
    size_t max_out;
    /* Receiving: unpredictable id for the header before an error (see `from`); borrowed until
     * s2s_stream_new returns, at most 64 octets kept. Absent: such a header has no id. */
    s2s_span error_id;
} s2s_stream_config;

/* The defaults of the specification's section 19. */
void s2s_stream_config_init(s2s_stream_config *c, s2s_role role);

s2s_stream *s2s_stream_new(const s2s_stream_config *config); /* copies config; NULL: no memory */
void s2s_stream_free(s2s_stream *s);

/* ---- bytes ---- */

/* Takes all bytes. What cannot be parsed yet is copied and bounded: reading stops while an event
 * waits for its answer, then at most one feed is held. Feed at most 64 KiB at a time, and only
 * after next() said NONE. */
void s2s_stream_feed(s2s_stream *s, s2s_span bytes);
/* Receiving, before anything was fed: the peer began with TLS instead of a header; as if direct_tls
 * had been set. NEED_TLS follows. */
void s2s_stream_hello(s2s_stream *s);
/* The connection ended; next() gives DEAD unless the stream was closed both ways. */
void s2s_stream_eof(s2s_stream *s);

s2s_span s2s_stream_out(const s2s_stream *s);  /* lent until the next call that changes s */
void s2s_stream_sent(s2s_stream *s, size_t n); /* n bytes of out() were taken by the connection */
/* Plaintext bytes ever appended to out: the offset of its end. */
uint64_t s2s_stream_out_total(const s2s_stream *s);

/* ---- events ---- */

typedef enum s2s_event_kind {
    S2S_EV_NONE,
    /* Both roles. Receiving: must be answered by s2s_stream_answer (or close). */
    S2S_EV_HEAD,
    /* Flush out() (empty under direct TLS), then do TLS on the connection, then
     * s2s_stream_tls_done. Nothing may be fed between. */
    S2S_EV_NEED_TLS,
    /* Initiating: features done, exactly once; pairs may be wanted, verifies asked. */
    S2S_EV_READY,
    /* Initiating: pair {from,to} needs a dialback key over `id`: s2s_stream_give_key. */
    S2S_EV_MAKE_KEY,
    /* Receiving: SASL EXTERNAL for domain `from` (authzid, or the header's from): answer_auth. */
    S2S_EV_AUTH,
    /* Receiving, or bidi: db:result {from,to,key}: answer_result, now or later. Asked even where
     * dialback was not offered: a certificate may prove the pair (XEP-0344), policy is the
     * caller's. */
    S2S_EV_PROVE,
    /* Receiving, or bidi: db:verify {from,to,id,key}: answer_verify at once. */
    S2S_EV_CHECK_KEY,
    /* {from,to,proof,theirs}: stanzas may flow. Initiating: ours to send, and with bidi theirs to us
     * for which they gave a key. Receiving: theirs to us. */
    S2S_EV_PAIR_OPEN,
    /* Initiating: {from,to,err,cond}: S2S_E_DIALBACK_INVALID, S2S_E_DIALBACK_ERROR,
     * S2S_E_NO_PROOF_OFFERED, S2S_E_SASL_FAILED (EXTERNAL was refused, dialback is not possible).*/
    S2S_EV_PAIR_REFUSED,
    /* Initiating: {from,to,id,verdict,cond} to our ask_verify (from and to as asked), each at most
     * once. */
    S2S_EV_VERIFY_ANSWER,
    /* Receiving, or bidi: a stanza of a proved pair of theirs. */
    S2S_EV_STANZA,
    /* The same: {err, stanza}: a stanza of a proved `from` which cannot be routed but harms no
     * one; bounce it, the stream stays. S2S_E_DOMAIN_* or S2S_E_IMPROPER_ADDRESS in `to` (then
     * to_domain is none, and `to` is the sender's spelling), S2S_E_IQ_MALFORMED. */
    S2S_EV_STANZA_REFUSED,
    /* {count}: so many more of our stanzas, the oldest first, are acknowledged (XEP-0198). */
    S2S_EV_ACKED,
    /* Initiating, {verdict, count}: the answer to <resume/>. VALID: the stream of before goes on. Either way `count` of what was not
     * acknowledged then, the oldest first, has arrived; INVALID: of the rest nobody knows. What VALID leaves is to be sent. */
    S2S_EV_RESUMED,
    /* {err}: worth a counter or a log line: ignored unsolicited or late answers and elements, no
     * room for a pair, EXTERNAL refused with dialback to follow. */
    S2S_EV_NOTE,
    /* The peer sent its close tag; ours was answered. Flush, then shut the connection. */
    S2S_EV_CLOSED,
    /* {err, cond, text}: final. out() holds error and close tag (or nothing). Flush, then close. */
    S2S_EV_DEAD
} s2s_event_kind;

typedef enum s2s_verdict { S2S_VALID, S2S_INVALID, S2S_ERROR } s2s_verdict;

typedef struct s2s_head {
    s2s_err from_err; /* S2S_E_OK with from.len 0: absent or empty */
    s2s_err to_err;
    s2s_domain from;
    s2s_domain to;
    s2s_span id; /* absent when there is none or empty */
    s2s_span lang;
    bool version_1; /* version >= 1.0 was given */
    bool declares_db;
    bool after_tls;
    bool after_sasl;
} s2s_head;

typedef struct s2s_event {
    s2s_event_kind kind;
    s2s_err err;
    s2s_domain from;
    s2s_domain to;
    bool theirs; /* PAIR_OPEN: a pair whose stanzas come to us */
    s2s_span id;
    s2s_span key;
    /* Stanza, stream or SASL condition the peer named; one RFC 6120 does not know is
     * undefined-condition (SASL: not-authorized), names of RFC 3920 are mapped. Lives for ever. */
    s2s_span cond;
    s2s_span text;
    s2s_verdict verdict;
    s2s_proof proof;
    uint32_t count;           /* ACKED, RESUMED */
    const s2s_head *head;     /* HEAD */
    const s2s_stanza *stanza; /* STANZA, STANZA_REFUSED */
} s2s_event;

const s2s_event *s2s_stream_next(s2s_stream *s); /* never NULL */

/* ---- receiving role ---- */

typedef struct s2s_answer {
    s2s_domain as; /* our domain in the response header: `to` of the peer when we serve it */
    s2s_span id;   /* unpredictable, new each time; copied; 1 to 256 octets */
    /* Offered before TLS. REQUIRED: nothing else than starttls is offered or accepted in clear, and
     * db:result and db:verify are answered there with the error policy-violation. */
    s2s_tls_level tls;
    bool offer_external; /* only after TLS */
    bool offer_dialback;
    bool offer_sm;      /* XEP-0198, without resumption */
    uint32_t max_bytes; /* XEP-0478: the longest stanza taken; 0: nothing is said */
    uint32_t
        idle_seconds; /* XEP-0478: a stream without a byte is closed after these; 0: nothing is said */
    bool offer_bidi; /* only after TLS and before any proof */
} s2s_answer;

/* Writes header and features in one go. */
void s2s_stream_answer(s2s_stream *s, const s2s_answer *answer);
/* cond: of RFC 6120 6.5, when not ok. */
void s2s_stream_answer_auth(s2s_stream *s, bool ok, const char *sasl_cond);
/* For the PROVE of that pair. VALID opens the pair with `proof`. INVALID: `invalid`, and the stream
 * ends with S2S_E_DIALBACK_DENIED when it has no other pair (XEP-0220 2.2.1). ERROR: `cond` of RFC
 * 6120 8.3.3. An answer to a pair nobody asked for is ignored (the question may be gone). */
void s2s_stream_answer_result(s2s_stream *s, const s2s_domain *from, const s2s_domain *to,
                              s2s_verdict v, const char *cond, s2s_proof proof);
/* from/to/id as in the CHECK_KEY event; the core swaps them. */
void s2s_stream_answer_verify(s2s_stream *s, const s2s_domain *from, const s2s_domain *to,
                              s2s_span id, s2s_verdict v, const char *cond);

/* ---- initiating role ---- */

/* Asks to open a pair (header pair: EXTERNAL if offered and allowed, else dialback; others:
 * dialback). May be called before READY; asked as soon as the handshake allows. At most one
 * question per pair is in flight; a pair dropped meanwhile is asked again.
 * S2S_E_PAIR_LIMIT, S2S_E_NOMEM, S2S_E_PEER_CLOSED (the stream is closing or over) */
S2S_MUST_CHECK s2s_err s2s_stream_want_pair(s2s_stream *s, const s2s_domain *from,
                                            const s2s_domain *to);
void s2s_stream_give_key(s2s_stream *s, const s2s_domain *from, const s2s_domain *to, s2s_span key);
/* Gives up asking (timeout); an open pair stays open. */
void s2s_stream_drop_pair(s2s_stream *s, const s2s_domain *from, const s2s_domain *to);
/* db:verify from (our target domain) to (the sender's domain), id and key of the stream under
 * question. Queued till READY. Errors as of want_pair; at most max_pairs questions are open at
 * once. */
S2S_MUST_CHECK s2s_err s2s_stream_ask_verify(s2s_stream *s, const s2s_domain *from,
                                             const s2s_domain *to, s2s_span id, s2s_span key);
/* Of the direction in which the connection was made. */
bool s2s_stream_pair_open(const s2s_stream *s, const s2s_domain *from, const s2s_domain *to);
/* Inside TLS, before its features: changes config.try_bidi, once it is known who the peer is. */
void s2s_stream_try_bidi(s2s_stream *s, bool yes);
/* ... and what is said with it: what we bear (XEP-0478), 0: nothing. */
void s2s_stream_say_limits(s2s_stream *s, uint32_t max_bytes, uint32_t idle_seconds);
/* The peer offered SASL EXTERNAL to our certificate on this stream, and has not refused it since. */
bool s2s_stream_offers_external(const s2s_stream *s);
/* Target multiplexing is allowed by the peer (XEP-0220 2.6.2). */
bool s2s_stream_offers_dialback_errors(const s2s_stream *s);

/* ---- both ---- */

/* Appends a stanza. S2S_E_NOT_PROVED, S2S_E_FULL, S2S_E_NOMEM: nothing was appended. */
S2S_MUST_CHECK s2s_err s2s_stream_send(s2s_stream *s, const s2s_domain *from, const s2s_domain *to,
                                       s2s_span bytes);
bool s2s_stream_sends(const s2s_stream *s, const s2s_domain *from, const s2s_domain *to);
bool s2s_stream_takes(const s2s_stream *s, const s2s_domain *from, const s2s_domain *to);

/* ---- stream management (XEP-0198), both roles ---- */

typedef enum s2s_sm_state {
    S2S_SM_OFF,
    S2S_SM_ASKED, /* initiating: <enable/> is out, what is sent now will be counted if it is granted */
    S2S_SM_RESUMING, /* initiating: <resume/> is out; nothing can be sent */
    S2S_SM_ON
} s2s_sm_state;

s2s_sm_state s2s_stream_sm(const s2s_stream *s);
/* `id` is lent for the life of s. */
s2s_resumable s2s_stream_resumable(const s2s_stream *s);
uint32_t s2s_stream_unacked(const s2s_stream *s); /* stanzas of ours; 0 while it is off */
uint32_t s2s_stream_unasked(
    const s2s_stream *s); /* sent since <r/> was last written; 0 unless on */
/* Writes <r/>, if it is on and something is not acknowledged. The answer is ACKED, or nothing when it brings nothing new. */
void s2s_stream_ask_ack(s2s_stream *s);
/* While on: `n` more of the peer's stanzas, in the order they came, are taken: they will not be lost with us. What was not taken
 * is not acknowledged. */
void s2s_stream_taken(s2s_stream *s, uint32_t n);
/* The peer waits for an answer to <r/>. next() answers when all that came before it is taken, else s2s_stream_tell_taken does, which
 * is to come within a second; due: it is time for that. */
bool s2s_stream_ack_asked(const s2s_stream *s);
bool s2s_stream_ack_due(const s2s_stream *s);
/* Stanzas taken of which the peer has not been told; s2s_stream_tell_taken writes <a/> without being asked. */
uint32_t s2s_stream_untold(const s2s_stream *s);
void s2s_stream_tell_taken(s2s_stream *s);

/* ---- both ways (XEP-0288), both roles ---- */

/* Stanzas may go both ways on this stream (XEP-0288): it was offered and asked for. */
bool s2s_stream_bidi(const s2s_stream *s);
/* Opens {from,to}, the reverse of a pair that is open on it, without an event. Receiving: ours to
 * send. Initiating: theirs to us; `proof` is then the caller's word for it that the peer is `from`,
 * since a stream that we opened proves only us. Best while PAIR_OPEN is lent: the next element may
 * rest on it already. OK too when it is open.
 * S2S_E_NOT_PROVED: no bidi, or the reverse is not open; S2S_E_PAIR_LIMIT; S2S_E_NOMEM */
S2S_MUST_CHECK s2s_err s2s_stream_open_back(s2s_stream *s, const s2s_domain *from,
                                            const s2s_domain *to, s2s_proof proof);

/* ---- the rest, both roles ---- */

/* What the peer's features say it bears (XEP-0478), 0: nothing. To obey is the caller's. */
uint32_t s2s_stream_peer_max_bytes(const s2s_stream *s);
uint32_t s2s_stream_peer_idle_seconds(const s2s_stream *s);
/* White space between elements (RFC 6120 4.6.1), where that is allowed now. */
void s2s_stream_keep_alive(s2s_stream *s);

void s2s_stream_tls_done(s2s_stream *s); /* initiating: writes the new header */
bool s2s_stream_in_tls(const s2s_stream *s);
/* OK: plain close tag, keeps reading until CLOSED (during the TLS handshake, where nothing can be
 * written: DEAD at once). Else: header if none was sent yet, stream error of `why` where it has
 * one, close tag; next() gives DEAD. */
void s2s_stream_close(s2s_stream *s, s2s_err why, s2s_span text);
/* Id of the current response header, either role; absent between a restart and the next header. */
s2s_span s2s_stream_id(const s2s_stream *s);
/* Gives back what only a busy stream needs: buffers, and the parser unless it has begun a token or an element. At any time,
 * but nothing lent before is valid behind it. */
void s2s_stream_rest(s2s_stream *s);
bool s2s_stream_half_stanza(const s2s_stream *s);  /* something is half read */
bool s2s_stream_waits(const s2s_stream *s);        /* something we asked is not answered yet */
unsigned s2s_stream_pairs(const s2s_stream *s);    /* proved pairs */
const char *s2s_stream_state(const s2s_stream *s); /* name of what is waited for, for logs */

/* ---- the tables, printable ---- */

/* Calls `line` for each row of a role's table as text: "EXPECT_x | brings | if | do | EXPECT_y". */
void s2s_handshake_print(s2s_role role, void (*line)(void *ctx, const char *text), void *ctx);

#endif
