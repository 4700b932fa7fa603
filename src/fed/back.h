/* back.h - connections on which stanzas go both ways (XEP-0288, decision 030).
 * For:    with whom; the way back on an accepted connection, which is a link; what we take on a connection that we made.
 * Never:  asks or proves anything: the way back rests on what was proved forth, and on who the peer is.
 * Owner:  the link of an accepted connection lives as long as that; its target owns it.
 *
 * A pair that has nothing under way takes the way back before anything is dialled for it; one that is asked or open
 * elsewhere stays there.                                                    */
#ifndef FED_BACK_H
#define FED_BACK_H

#include "fed/types.h"

/* Accepted: is it offered to who says to be `from` (len 0: nobody yet)? */
bool fed_back_offers(const fed_conn *c, const s2s_domain *from);
/* Made by us, TLS is done: is it to be asked for? */
void fed_back_try(fed_link *l);
/* May stanzas of that domain, proved by our having dialled it, be taken on c? */
bool fed_back_believes(const fed_conn *c, const s2s_domain *theirs);

/* Accepted: {theirs,ours} was proved on c. */
void fed_back_sends(fed_conn *c, const s2s_domain *theirs, const s2s_domain *ours, s2s_proof proof);
/* Made by us: {ours,theirs} was proved on c. */
void fed_back_takes(fed_conn *c, const s2s_domain *ours, const s2s_domain *theirs);

/* The way back for p; NULL: there is none. */
fed_link *fed_back_link(const fed_pair *p);
/* Puts p, which waits, on its way back. False: there is none. */
bool fed_back_give(fed_pair *p);
/* c ends: nobody finds its way back any more. */
void fed_back_ended(fed_conn *c);

#endif
