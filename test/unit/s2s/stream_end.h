/* stream_end.h - one end of a stream with a caller who answers by rule, for tests.
 * For:    feeding text in any segmentation; the events as lines of text; the bytes written.
 * Never:  TLS or network: NEED_TLS is answered by saying it is done.
 * Owner:  the test; init in place, fini releases.                                        */
#ifndef STREAM_END_H
#define STREAM_END_H

#include <s2s/buf.h>
#include <s2s/stream.h>

typedef struct end {
    s2s_stream *stream;
    s2s_role role;
    /* how the caller answers */
    s2s_answer answer;
    bool mute; /* answers nothing by itself */
    bool auth_ok;
    s2s_verdict prove; /* of any db:result */
    const char *prove_cond;
    s2s_verdict check; /* of any db:verify */
    unsigned ids;      /* response headers answered; the id is "id1", "id2" ... */
    char id[16];
    const char *same_id; /* instead of counting */
    /* how it is fed */
    size_t chunk; /* bytes of one feed; 0: all at once */
    size_t cut;   /* a feed ends at this offset of all bytes ever fed; 0: none */
    size_t fed;
    /* what came of it */
    s2s_buf log;   /* one line for each event */
    s2s_buf wrote; /* all bytes taken from out() */
    size_t marked; /* of wrote, already looked at */
    bool dead;
    bool closed;
    bool tls_needed;
} end;

s2s_domain domain(const char *text);

void end_init(end *e, s2s_role role, const s2s_stream_config *config);
void end_fini(end *e);
s2s_stream_config config_of(s2s_role role); /* a.example to b.example, error_id "e0" */

void end_feed(end *e, const char *text); /* feeds and walks the events */
void end_feed_span(end *e, s2s_span bytes);
void end_walk(end *e);       /* events only */
const char *end_log(end *e); /* all lines so far */
void end_log_clear(end *e);
const char *end_out(end *e);     /* written since the last call; lent till then */
const char *end_all_out(end *e); /* everything ever written */

/* Carries bytes between two ends until both are still. */
void ends_meet(end *a, end *b);

/* Header texts. `attrs` is put in front of the '>'. */
#define HEAD_OF(attrs)                                                                             \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:server' "                                   \
    "xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' " attrs ">"
#define HEAD_AB          HEAD_OF("from='a.example' to='b.example' version='1.0'")
#define HEAD_BACK        HEAD_OF("from='b.example' to='a.example' id='r1' version='1.0'")
#define NS_TLS           "urn:ietf:params:xml:ns:xmpp-tls"
#define NS_SASL          "urn:ietf:params:xml:ns:xmpp-sasl"
#define STARTTLS         "<starttls xmlns='" NS_TLS "'/>"
#define PROCEED          "<proceed xmlns='" NS_TLS "'/>"
#define FEATURES(inside) "<stream:features>" inside "</stream:features>"
#define OFFER_TLS        "<starttls xmlns='" NS_TLS "'><required/></starttls>"
#define OFFER_EXTERNAL                                                                             \
    "<mechanisms xmlns='" NS_SASL "'><mechanism>EXTERNAL</mechanism></mechanisms>"
#define OFFER_BIDI     "<bidi xmlns='urn:xmpp:features:bidi'/>"
#define BIDI           "<bidi xmlns='urn:xmpp:bidi'/>"
#define OFFER_DIALBACK "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"

#define ERROR(cond)           "<stream:error><" cond " xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
#define CLOSE                 "</stream:error></stream:stream>"
#define FAILURE(cond)         "<failure xmlns='" NS_SASL "'><" cond "/></failure>"
#define AUTH(text)            "<auth xmlns='" NS_SASL "' mechanism='EXTERNAL'>" text "</auth>"
#define RESULT(from, to, key) "<db:result from='" from "' to='" to "'>" key "</db:result>"
#define VERIFY(from, to, id)  "<db:verify from='" from "' to='" to "' id='" id "'>k3y</db:verify>"
#define MESSAGE(from, to)     "<message from='" from "' to='" to "'><body>hi</body></message>"

/* A receiving end inside TLS, features written, nothing proved; log and out are empty. */
end receiver_in_tls(void);
/* The same with (a.example, b.example) proved by dialback. */
end receiver_proved(void);

#define assert_has(text, part)   assert_has_at(text, part, __FILE__, __LINE__)
#define assert_hasnt(text, part) assert_hasnt_at(text, part, __FILE__, __LINE__)
void assert_has_at(const char *text, const char *part, const char *file, int line);
void assert_hasnt_at(const char *text, const char *part, const char *file, int line);

#endif
