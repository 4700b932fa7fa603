/* say.h - what the log is told: one line per event, stable names.
 * For:    exactly one `why` for each ended link, attempt, stanza (and it is counted here too: link and attempt).
 * Never:  limits the rate (the log does, per event and domain); names keys, bodies or stanza text.
 * Owner:  plain functions.
 *
 * Events: conn_accepted conn_refused conn_state conn_ended attempt_ended link_state target_state pair_open pair_refused
 *         pair_waits check_ended key_checked stanza_ended noted                               */
#ifndef FED_SAY_H
#define FED_SAY_H

#include "fed/types.h"

void fed_say_accepted(const fed_conn *c);
void fed_say_refused(fed *f, const fed_addr *peer, s2s_err why); /* reset without a byte */
void fed_say_conn_state(const fed_conn *c, const char *was, const char *is);
void fed_say_conn_ended(fed_conn *c, s2s_err why, s2s_span detail); /* counts a link */
/* Counts an attempt; c NULL: it never had a connection. */
void fed_say_attempt_ended(const fed_link *l, const fed_attempt *a, const fed_conn *c, s2s_err why,
                           s2s_span detail);
void fed_say_link_state(const fed_link *l, const char *was, const char *is);
void fed_say_target_state(const fed_target *t, const char *was, const char *is);
void fed_say_pair_open(fed *f, const fed_conn *c, const s2s_domain *from, const s2s_domain *to,
                       s2s_proof proof);
void fed_say_pair_refused(const fed_pair *p, const fed_conn *c, s2s_err why, s2s_span cond);
void fed_say_check_ended(const fed_check *k, const char *verdict, const char *cond);
void fed_say_key_checked(const fed_conn *c, const s2s_domain *from, const s2s_domain *to,
                         bool valid);
void fed_say_stanza_ended(fed *f, const fed_item *item, const char *fate, s2s_err why);
void fed_say_noted(const fed_conn *c, const s2s_event *ev);

#endif
