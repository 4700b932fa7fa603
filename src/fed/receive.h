/* receive.h - what accepted connections say, and with bidi those we made: outside (outside.c) and inside (inside.c).
 * For:    answering heads, EXTERNAL, dialback keys; handing proved stanzas to route.c.
 * Never:  dials; decides where a stanza goes.
 * Owner:  plain functions on a connection.                                  */
#ifndef FED_RECEIVE_H
#define FED_RECEIVE_H

#include "fed/types.h"

void fed_receive_event(fed_conn *c,
                       const s2s_event *ev); /* any event that is not common to both roles */
void fed_receive_ended(fed_conn *c);         /* its pairs, checks and stalls are let go */

/* Their stanzas of that pair are welcome on c; it ends when there is no memory. */
void fed_receive_feed(fed_conn *c, const s2s_domain *from, const s2s_domain *to, s2s_proof proof);

/* Outside: what its certificate proves it to be that domain by; NONE: nothing that policy takes. */
s2s_proof fed_outside_shown(const fed_conn *c, const s2s_domain *from);

/* One per side. */
void fed_outside_head(fed_conn *c, const s2s_head *head);
void fed_outside_auth(fed_conn *c, const s2s_domain *from);
void fed_outside_prove(fed_conn *c, const s2s_event *ev);
void fed_inside_head(fed_conn *c, const s2s_head *head);
void fed_inside_auth(fed_conn *c, const s2s_domain *from);
void fed_inside_prove(fed_conn *c, const s2s_event *ev);

/* May whoever connects from there be a local server's? For accept on the inside. */
bool fed_inside_known(const fed *f, const fed_addr *peer);
bool fed_inside_asks_cert(const fed_conn *c); /* is it to show a certificate? */

/* The longest stanza that is taken from there for `as`: bytes. */
size_t fed_receive_most(const fed_conn *c, const s2s_domain *as);

/* Answers the head: `as` in the header, a fresh id. */
void fed_receive_answer(fed_conn *c, const s2s_domain *as, s2s_tls_level tls, bool external,
                        bool dialback);

/* What TLS needs to know on an accepted connection. */
void fed_receive_tls_ask(const fed_conn *c, fed_tls_ask *ask);

#endif
